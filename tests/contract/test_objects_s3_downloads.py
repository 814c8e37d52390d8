"""Downloads from S3: broken, replaced, cut short or slow ones, and large ones in parts."""

import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from shared.errors import DependencyAwayError
from shared.objects import IntegrityError, s3_download
from shared.objects.s3 import S3Store
from tests.contract.objects_harness import S3Harness
from tests.support.relay import Relay

MIB = 1024 * 1024


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 15.0
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_download_goes_on_where_its_connection_broke(s3: S3Harness, tmp_path: Path) -> None:
    data = bytes(range(256)) * (20 * MIB // 256)
    ref = s3.store.put("cut/download", [data])
    s3.relay.cut_after(5 * MIB)
    s3.store.fetch_to(ref, tmp_path / "file")
    assert s3.relay.interruptions == 1
    assert hashlib.sha256((tmp_path / "file").read_bytes()).hexdigest() == ref.sha256


def test_a_download_whose_object_is_replaced_meanwhile_does_not_mix_the_two(s3: S3Harness) -> None:
    ref = s3.store.put("cut/replaced", [bytes(20 * MIB)])
    with s3.store.open(ref) as chunks:
        next(chunks)
        with closing(S3Store(s3.direct)) as other:
            other.put("cut/replaced", [b"\x01" * 20 * MIB])
        s3.relay.cut()
        with pytest.raises(IntegrityError, match="replaced"):
            sum(map(len, chunks))


def test_a_server_that_stays_away_ends_a_download(s3: S3Harness) -> None:
    ref = s3.store.put("cut/for-good", [bytes(40 * MIB)])
    with s3.store.open(ref) as chunks:
        next(chunks)
        s3.relay.take_away()
        with pytest.raises(DependencyAwayError):
            sum(map(len, chunks))


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads of more than 2 MiB come in parts."""
    monkeypatch.setattr(s3_download, "PART_BYTES", 2 * MIB)


def gets_on(relay: Relay) -> int:
    return relay.asked.count(b"GET")


@pytest.mark.usefixtures("small_parts")
def test_the_parts_of_a_large_object_are_asked_for_ahead_and_come_in_order(s3: S3Harness) -> None:
    data = b"".join(bytes([number]) * MIB for number in range(11)) + b"end"
    ref = s3.store.put("large/object", [data])
    before = gets_on(s3.relay)
    with s3.store.open(ref) as chunks:
        read = [next(chunks)]
        wait_for(lambda: gets_on(s3.relay) == before + 1 + s3_download.PARTS_AHEAD)
        read.extend(chunks)
    assert b"".join(read) == data
    assert gets_on(s3.relay) == before + 6


@pytest.mark.usefixtures("small_parts")
def test_for_who_reads_slowly_no_connection_waits(s3: S3Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_download, "SLOW_SECONDS", 0.0)
    data = b"".join(bytes([number]) * MIB for number in range(12))
    ref = s3.store.put("large/slowly", [data])
    before = gets_on(s3.relay)
    with s3.store.open(ref) as chunks:
        read = [next(chunks) for _ in range(7)]  # the fourth part was the first that nobody had asked for
        assert gets_on(s3.relay) == before + 4
        read.extend(chunks)
    assert b"".join(read) == data


@pytest.mark.usefixtures("small_parts")
def test_a_large_object_comes_whole_although_connections_break_at_any_part(s3: S3Harness) -> None:
    data, read = b"".join(bytes([number]) * MIB for number in range(24)), b""
    ref = s3.store.put("large/cut", [data])
    s3.relay.cut_after(MIB)
    with s3.store.open(ref) as chunks:
        for chunk in chunks:
            read += chunk
            if s3.relay.interruptions == len(read) // (6 * MIB):
                s3.relay.cut_after(MIB)
    assert read == data
    assert s3.relay.interruptions > 2


@pytest.mark.usefixtures("small_parts")
def test_parts_of_two_versions_of_an_object_are_not_mixed(s3: S3Harness) -> None:
    ref = s3.store.put("large/replaced", [bytes(12 * MIB)])
    with s3.store.open(ref) as chunks:
        next(chunks)
        with closing(S3Store(s3.direct)) as other:
            other.put("large/replaced", [b"\x01" * 12 * MIB])
        with pytest.raises(IntegrityError, match="replaced"):
            sum(map(len, chunks))


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("size", [0, 5, 2 * MIB, 9 * MIB])
def test_a_large_object_that_is_shorter_than_promised_is_an_error(s3: S3Harness, size: int) -> None:
    promised = s3.store.put("large/promised", [bytes(10 * MIB)]).model_copy(update={"key": "large/short"})
    s3.store.put("large/short", [bytes(size)])
    with pytest.raises(IntegrityError, match="large/short"), s3.store.open(promised) as chunks:
        sum(map(len, chunks))


@pytest.mark.usefixtures("small_parts")
def test_who_leaves_a_large_download_early_leaves_no_thread(s3: S3Harness) -> None:
    ref = s3.store.put("large/left", [bytes(12 * MIB)])
    with s3.store.open(ref) as chunks:
        next(chunks)
    wait_for(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("s3-ahead")])
