"""What every object store promises, held against each adapter."""

import gc
import hashlib
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from contracts.messages.parts import ObjectRef
from shared.errors import DependencyAwayError
from shared.objects import (
    IntegrityError,
    InvalidKeyError,
    ObjectMissingError,
)
from tests.contract.objects_harness import MIB, StoreHarness, failing, keys, large, ref_of

VERY_LARGE = 200 * MIB + 12345
"""Bytes of an object that is twice what a store may hold in memory."""

ODD_KEYS = [
    "a b/c+d",
    "asdm/uid___A002_Xc4f3ae_X537/ASDM.xml",
    "percent%2Fescaped/100%",
    "question?mark=1&two#hash",
    "quote'\"<>/a",
    "star*/[x]/{y}/(z)|~",
    "ÅLMA/日本/😀.tar",
    "end./ .x/trailing ",
    "combining/e\u0301",
    "long/" + "n" * 255,
    "deep/" + "d/" * 200 + "end",
]


def test_a_stored_object_is_read_back_as_it_was(harness: StoreHarness) -> None:
    ref = harness.store.put("one/object", [b"ab", b"", b"c"])
    assert ref == ref_of("one/object", b"abc")
    assert harness.store.read(ref) == harness.store.get("one/object") == b"abc"
    info = harness.store.info("one/object")
    assert info is not None
    assert info.ref == ref


def test_an_empty_object_is_an_object(harness: StoreHarness) -> None:
    assert harness.store.put("empty/stream", []) == ref_of("empty/stream", b"")
    assert harness.store.put_bytes("empty/bytes", b"") == ref_of("empty/bytes", b"")
    assert harness.store.get("empty/stream") == harness.store.get("empty/bytes") == b""
    assert [found.size for found in harness.store.list("empty/")] == [0, 0]


@pytest.mark.parametrize("key", ODD_KEYS, ids=range(len(ODD_KEYS)))
def test_odd_keys_are_kept_as_they_are(harness: StoreHarness, key: str) -> None:
    ref = harness.store.put_bytes(f"odd/{key}", key.encode())
    assert harness.store.read(ref) == key.encode()
    assert keys(harness, f"odd/{key}") == [f"odd/{key}"]
    harness.store.delete(f"odd/{key}")
    assert keys(harness, f"odd/{key}") == []


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.", "a\nb", "a\x00", ".hidden", "a\\b", "n" * 256, "n/" * 600]
)
def test_a_key_that_no_store_should_hold_is_refused(harness: StoreHarness, key: str) -> None:
    with pytest.raises(InvalidKeyError, match="key"):
        harness.store.put_bytes(key, b"x")
    with pytest.raises(InvalidKeyError):
        harness.store.info(key)


def test_a_large_stream_passes_with_bounded_memory(harness: StoreHarness, tmp_path: Path) -> None:
    gc.disable()  # what hangs in a cycle counts, too
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    try:
        ref = harness.store.put("large/stream", large(VERY_LARGE))
        held, storing = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        harness.store.fetch_to(ref, tmp_path / "large")
        _, fetching = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    digest = hashlib.sha256()
    for chunk in large(VERY_LARGE):
        digest.update(chunk)
    assert (ref.size, ref.sha256) == (VERY_LARGE, digest.hexdigest())
    with (tmp_path / "large").open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == ref.sha256
    assert storing - before < 7.5 * 16 * MIB  # three parts on their way, one that fills, and their copies for a moment
    assert held - before < 2 * MIB
    assert fetching - before < 8 * MIB
    info = harness.store.info("large/stream")
    assert info is not None
    assert info.ref == ref
    assert harness.leftovers() == []


def test_an_overwrite_replaces_all_of_the_object(harness: StoreHarness) -> None:
    first = harness.store.put("over/written", large())
    second = harness.store.put_bytes("over/written", b"new")
    assert harness.store.get("over/written") == b"new"
    assert [found.ref for found in harness.store.list("over/")] == [second]
    with pytest.raises(IntegrityError, match="over/written"):
        harness.store.read(first)


def test_a_reader_sees_the_old_or_the_new_object_while_it_is_overwritten(harness: StoreHarness) -> None:
    versions = [bytes([number]) * 200_000 for number in range(1, 4)]
    harness.store.put_bytes("busy/object", versions[0])
    done = threading.Event()

    def write() -> None:
        for round_ in range(10):
            harness.store.put("busy/object", [versions[round_ % 3]])
        done.set()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not done.is_set():
            assert harness.store.get("busy/object") in versions
            info = harness.store.info("busy/object")
            assert info is not None
            assert info.sha256 in {ref_of("x", version).sha256 for version in versions}
        writing.result()


@pytest.mark.parametrize("size", [0, 2 * MIB, 70 * MIB])
def test_a_source_that_breaks_leaves_nothing(harness: StoreHarness, size: int) -> None:
    with pytest.raises(OSError, match="the source broke"):
        harness.store.put("broken/source", failing(size))
    assert harness.store.info("broken/source") is None
    assert keys(harness, "broken/") == []
    assert harness.leftovers() == []
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("s3-")] == []


def test_a_source_that_breaks_leaves_the_old_object(harness: StoreHarness) -> None:
    ref = harness.store.put_bytes("broken/later", b"old")
    with pytest.raises(OSError, match="the source broke"):
        harness.store.put("broken/later", failing(40 * MIB))
    assert harness.store.read(ref) == b"old"


@pytest.mark.parametrize("size", [3, 40 * MIB])
def test_bytes_other_than_expected_are_refused(harness: StoreHarness, size: int) -> None:
    wrong = ObjectRef(key="expected/object", size=size, sha256="0" * 64)
    with pytest.raises(IntegrityError, match="expected/object"):
        harness.store.put("expected/object", [bytes(size)], expected=wrong)
    with pytest.raises(IntegrityError):
        harness.store.put("expected/object", [bytes(size)], expected=ref_of("expected/object", b"longer" * 10))
    assert keys(harness, "expected/") == []
    assert harness.leftovers() == []


@pytest.mark.parametrize("size", [3, 40 * MIB])
def test_bytes_as_expected_are_stored(harness: StoreHarness, size: int) -> None:
    expected = ref_of("expected/good", bytes(size))
    assert harness.store.put("expected/good", [bytes(size)], expected=expected) == expected
    assert harness.store.read(expected) == bytes(size)


def test_a_spoiled_byte_is_caught_by_every_way_of_reading(harness: StoreHarness, tmp_path: Path) -> None:
    ref = harness.store.put_bytes("spoiled/object", b"x" * 3 * MIB)
    harness.spoil("spoiled/object")
    with pytest.raises(IntegrityError, match="spoiled/object"):
        harness.store.read(ref)
    with pytest.raises(IntegrityError, match="spoiled/object"):
        harness.store.get("spoiled/object")
    with pytest.raises(IntegrityError), harness.store.open(ref) as chunks:
        assert sum(map(len, chunks)) == ref.size
    with pytest.raises(IntegrityError):
        harness.store.fetch_to(ref, tmp_path / "spoiled")
    assert list(tmp_path.glob("**/*spoiled*")) == list(tmp_path.glob("**/.*.part")) == []


def test_what_is_not_there_is_said_to_be_missing(harness: StoreHarness, tmp_path: Path) -> None:
    ref = ref_of("not/there", b"x")
    assert harness.store.info("not/there") is None
    for read in (harness.store.read, lambda ref: harness.store.get(ref.key)):
        with pytest.raises(ObjectMissingError, match="not/there"):
            read(ref)
    with pytest.raises(ObjectMissingError), harness.store.open(ref):
        pytest.fail("A missing object was opened")
    with pytest.raises(ObjectMissingError):
        harness.store.fetch_to(ref, tmp_path / "file")
    harness.store.delete("not/there")


def test_a_list_begins_with_its_prefix_and_is_in_order_of_keys(harness: StoreHarness) -> None:
    names = ["b", "a/b", "a.b", "a-b", "a b", "a/c/d", "a/c.d", "aä", "z/1", "z/10", "z/2", "A"]
    for name in names:
        harness.store.put_bytes(f"list/{name}", name.encode())
    assert keys(harness, "list/") == sorted(f"list/{name}" for name in names)
    assert keys(harness, "list/a") == sorted(f"list/{name}" for name in names if name.startswith("a"))
    assert keys(harness, "list/a/") == ["list/a/b", "list/a/c.d", "list/a/c/d"]
    assert keys(harness, "list/z/1") == ["list/z/1", "list/z/10"]
    assert keys(harness, "list/none") == keys(harness, "list/b/") == []
    assert [found.ref for found in harness.store.list("list/b")] == [ref_of("list/b", b"b")]
    assert set(keys(harness)) >= {f"list/{name}" for name in names}


def test_a_deleted_object_is_gone_with_all_that_belongs_to_it(harness: StoreHarness) -> None:
    harness.store.put("gone/large", large())
    harness.store.put_bytes("gone/small", b"x")
    harness.store.delete("gone/large")
    assert harness.store.info("gone/large") is None
    assert keys(harness, "gone/") == ["gone/small"]
    assert harness.leftovers() == []


def test_a_fetched_file_appears_whole_and_read_only(harness: StoreHarness, tmp_path: Path) -> None:
    ref = harness.store.put_bytes("fetch/me", b"bytes")
    target = tmp_path / "fetched"
    for _ in range(2):
        harness.store.fetch_to(ref, target)
        assert target.read_bytes() == b"bytes"
        assert target.stat().st_mode & 0o777 == 0o444
    harness.store.delete("fetch/me")
    assert target.read_bytes() == b"bytes"
    assert list(tmp_path.glob(".*.part")) == []


def test_a_mismatch_leaves_no_file_and_keeps_an_older_one(harness: StoreHarness, tmp_path: Path) -> None:
    harness.store.put_bytes("fetch/other", b"bytes")
    older = tmp_path / "older"
    older.write_bytes(b"older")
    for target in (tmp_path / "new", older):
        with pytest.raises(IntegrityError):
            harness.store.fetch_to(ref_of("fetch/other", b"bytez"), target)
    assert older.read_bytes() == b"older"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["older"]


def test_a_fetch_that_is_given_up_leaves_no_file(harness: StoreHarness, tmp_path: Path) -> None:
    ref = harness.store.put("give/up", large(3 * MIB))
    chunks = count(1)

    def heed() -> None:
        if next(chunks) == 2:
            raise InterruptedError("not wanted any more")

    with pytest.raises(InterruptedError):
        harness.store.fetch_to(ref, tmp_path / "file", heed=heed)
    assert next(chunks) == 3
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []
    harness.store.fetch_to(ref, tmp_path / "file", heed=lambda: None)
    assert (tmp_path / "file").stat().st_size == ref.size


def test_a_reader_may_stop_early_again_and_again(harness: StoreHarness) -> None:
    ref = harness.store.put("stop/early", large())
    for _ in range(30):
        with harness.store.open(ref) as chunks:
            assert len(next(chunks)) <= MIB
    assert harness.store.get("stop/early")[:10] == next(large())[:10]


def test_a_readers_own_error_passes_through(harness: StoreHarness) -> None:
    ref = harness.store.put_bytes("reader/error", b"x")
    with pytest.raises(OSError, match="disk of the reader"), harness.store.open(ref):
        raise OSError("disk of the reader")


def test_a_store_that_is_away_says_so_and_works_again_afterwards(harness: StoreHarness, tmp_path: Path) -> None:
    ref = harness.store.put_bytes("away/object", b"still here")
    assert harness.store.is_ready()
    harness.take_away()
    try:
        assert not harness.store.is_ready()
        for call in (
            lambda: harness.store.info("away/object"),
            lambda: harness.store.get("away/object"),
            lambda: harness.store.put("away/new", [b"x"]),
            lambda: harness.store.put_bytes("away/new", b"x"),
            lambda: harness.store.create("away/new", b"x"),
            lambda: harness.store.replace("away/object", b"x", expected=ref),
            lambda: list(harness.store.list("away/")),
            lambda: harness.store.delete("away/object"),
            lambda: harness.store.fetch_to(ref, tmp_path / "file"),
        ):
            with pytest.raises(DependencyAwayError):
                call()
    finally:
        harness.bring_back()
    assert harness.store.is_ready()
    assert harness.store.read(ref) == b"still here"
    assert keys(harness, "away/") == ["away/object"]
