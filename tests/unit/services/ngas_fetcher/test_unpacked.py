"""What killed attempts to unpack an ASDM left is swept, and nothing that anybody needs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from observatory.ngas import NgasServer, tar_report
from shared import keys
from shared.objects.directory import DirectoryStore
from shared.objects.lease import Leases
from shared.service import Tidier
from tests.unit.services.ngas_fetcher.conftest import Archived
from tests.unit.services.ngas_fetcher.samples import EBS
from tests.unit.services.ngas_fetcher.test_service import Make, assert_staged_as_archived, run, staged_of

AGE = timedelta(days=7)
FOLDER = keys.asdm_folder(EBS[0], "0123456789abcdef")


class Ago:
    """The clocks of a host some time ago."""

    def __init__(self, age: timedelta) -> None:
        self._age = age

    def now(self) -> datetime:
        return datetime.now(UTC) - self._age

    def monotonic(self) -> float:
        return 0.0


def unpack_half(store: DirectoryStore, folder: str, attempt: str = "0" * 32) -> list[str]:
    """Leave what a fetcher leaves that is killed while it unpacks."""
    left = [f"{folder}unpacked/{attempt}/{name}" for name in ("ASDMBinary/uid___A002_X1_X2", "Main.xml")]
    for key in left:
        store.put_bytes(key, b"x")
    return left


def all_keys(store: DirectoryStore) -> list[str]:
    return [info.key for info in store.list("asdm/")]


def tidy(make_fetcher: Make) -> int:
    fetcher = make_fetcher()
    assert isinstance(fetcher, Tidier)
    return fetcher.tidy(AGE)


@pytest.mark.parametrize(
    ("ago", "swept"), [(timedelta(days=8), 2), (timedelta(days=6), 0), (timedelta(0), 0)], ids=["long", "lately", "now"]
)
def test_what_a_killed_fetcher_unpacked_is_removed_once_its_claim_is_long_over(
    make_fetcher: Make, store: DirectoryStore, ago: timedelta, swept: int
) -> None:
    left = unpack_half(store, FOLDER)
    Leases(objects=store, clock=Ago(ago)).claim(FOLDER, owner="who was killed", ttl=timedelta(seconds=20))
    assert tidy(make_fetcher) == swept
    assert all_keys(store) == ([] if swept else left)


def test_what_it_unpacked_is_removed_too_where_its_claim_was_swept_before(
    make_fetcher: Make, store: DirectoryStore
) -> None:
    unpack_half(store, FOLDER)
    assert tidy(make_fetcher) == 2
    assert all_keys(store) == []


def test_files_that_a_manifest_names_stay_whatever_lies_beside_them(
    make_fetcher: Make, archived: Archived, store: DirectoryStore, server: NgasServer, tmp_path: Path
) -> None:
    for eb_uid in EBS:
        tar_report(archived.folders[eb_uid], eb_uid, server, work=tmp_path, write_to=tmp_path / "locations")
    staged = staged_of(run(make_fetcher(), archived))
    whole = all_keys(store)
    folder = staged[0].asdm.key.removesuffix("manifest.json")
    for info in list(store.list("leases/")):
        store.delete(info.key)
    unpack_half(store, folder)
    assert tidy(make_fetcher) == 2
    assert all_keys(store) == whole
    for message in staged:
        assert_staged_as_archived(store, message, archived.folders[message.eb_uid])


def test_files_that_came_one_by_one_are_left_for_the_next_try(make_fetcher: Make, store: DirectoryStore) -> None:
    store.put_bytes(f"{FOLDER}files/Main.xml", b"x")
    assert tidy(make_fetcher) == 0
    assert all_keys(store) == [f"{FOLDER}files/Main.xml"]
