"""Packages that hold more than an ASDM can: refused through the whole service, and nothing of them stays."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.reasons import ReasonCode
from observatory.ngas import NgasServer, tar_report
from observatory.ngas.locations import report_entry
from shared.objects.directory import DirectoryStore
from tests.unit.services.ngas_fetcher.conftest import Archived
from tests.unit.services.ngas_fetcher.samples import EBS
from tests.unit.services.ngas_fetcher.test_service import Make, failures_of, run

NAME = f"{EBS[0].file_form}.asdm.sdm"
Spoil = Callable[[tarfile.TarFile, Path], None]


def nothing(tar: tarfile.TarFile, folder: Path) -> None:
    pass


def add_one_twice(tar: tarfile.TarFile, folder: Path) -> None:
    tar.add(folder / "Antenna.xml", arcname=f"{NAME}/Antenna.xml")


def say_more_than_there_is(tar: tarfile.TarFile, folder: Path) -> None:
    info = tarfile.TarInfo(f"{NAME}/Huge.bin")
    info.size = 1 << 30
    tar.addfile(info)


@pytest.mark.parametrize(
    ("spoil", "most", "told"),
    [
        (nothing, 6, "more than 6 files"),
        (add_one_twice, 100_000, "it holds Antenna.xml twice"),
        (say_more_than_there_is, 100_000, "it holds more bytes than it has: Huge.bin of 1073741824"),
    ],
    ids=["one file too many", "one name twice", "more bytes than it has"],
)
def test_a_package_that_holds_too_much_is_refused_and_leaves_nothing(
    make_fetcher: Make,
    archived: Archived,
    server: NgasServer,
    store: DirectoryStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Spoil,
    most: int,
    told: str,
) -> None:
    folder, path = archived.folders[EBS[0]], tmp_path / f"{NAME}.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(folder, arcname=NAME)
        spoil(tar, folder)
    stored = server.archive(path, path.name, version=None)
    report = tmp_path / "locations" / f"{EBS[0].file_form}.json"
    entry = report_entry(stored, Path(path.name), server)
    report.write_text(json.dumps(json.loads(report.read_text()) | {"files": [entry]}))
    monkeypatch.setattr("services.ngas_fetcher.packed.MAX_FILES", most)
    (failure,) = failures_of(run(make_fetcher(), archived))
    assert failure.reason is ReasonCode.ASDM_INCOMPLETE
    assert told in failure.detail
    assert list(store.list(f"asdm/{EBS[0].file_form}/")) == []


def test_a_package_with_as_many_files_as_it_may_have_is_taken(
    make_fetcher: Make, archived: Archived, server: NgasServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tar_report(archived.folders[EBS[0]], EBS[0], server, work=tmp_path, write_to=tmp_path / "locations")
    monkeypatch.setattr("services.ngas_fetcher.packed.MAX_FILES", 7)
    assert failures_of(run(make_fetcher(), archived)) == []
