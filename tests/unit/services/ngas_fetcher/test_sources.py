"""ASDMs from each kind of source, through the whole service."""

import os
import select
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert

from contracts.manifests import AsdmManifest
from contracts.messages import ArtefactsStaged, RestoreFailed
from contracts.reasons import ReasonCode
from observatory.ngas import Fault, NgasServer, multipart_report, tar_report
from services.ngas_fetcher.errors import ExportFailedError, NgasRefusedError
from services.ngas_fetcher.ngas_tables import _DISKS, _FILES, _HOSTS, _NGAS
from services.ngas_fetcher.service import NgasFetcher
from shared.objects.directory import DirectoryStore
from tests.support.delivery import RecordingDelivery
from tests.support.trees import files_below
from tests.unit.services.ngas_fetcher.conftest import Archived
from tests.unit.services.ngas_fetcher.samples import EBS, bdf_names

Make = Callable[..., NgasFetcher]
Pack = Callable[..., object]


def staged(fetcher: NgasFetcher, archived: Archived) -> dict[str, ArtefactsStaged]:
    delivery = RecordingDelivery()
    fetcher.handle(archived.event, delivery)
    return {event.data.eb_uid: event.data for event in delivery.published if isinstance(event.data, ArtefactsStaged)}


def failure(fetcher: NgasFetcher, archived: Archived) -> RestoreFailed:
    delivery = RecordingDelivery()
    fetcher.handle(archived.event, delivery)
    return next(event.data for event in delivery.published if isinstance(event.data, RestoreFailed))


def assert_all_staged(fetcher: NgasFetcher, archived: Archived, store: DirectoryStore) -> list[AsdmManifest]:
    found = staged(fetcher, archived)
    manifests = [AsdmManifest.model_validate_json(store.read(found[eb_uid].asdm)) for eb_uid in EBS]
    for manifest in manifests:
        folder = archived.folders[manifest.eb_uid]
        expected = files_below(folder)
        assert {file.path: store.read(file.ref) for file in manifest.files} == expected
    return manifests


@pytest.fixture(params=[tar_report, multipart_report], ids=["tar", "multipart"])
def packed(request: pytest.FixtureRequest, archived: Archived, server: NgasServer, tmp_path: Path) -> Archived:
    for eb_uid, folder in archived.folders.items():
        request.param(folder, EBS[EBS.index(eb_uid)], server, work=tmp_path, write_to=tmp_path / "locations")
    return archived


def packages(server: NgasServer) -> list[str]:
    return [file.file_id for file in server.store.files() if file.size > 900_000]


def test_a_package_is_unpacked_while_it_streams(
    make_fetcher: Make, packed: Archived, store: DirectoryStore, server: NgasServer
) -> None:
    for manifest in assert_all_staged(make_fetcher(), packed, store):
        assert {file.archive_file_id for file in manifest.files} <= set(packages(server))
    server.requests.clear()
    assert all(message.reused for message in staged(make_fetcher(), packed).values())
    assert server.retrieved() == []


def test_a_package_that_breaks_off_is_resumed_in_the_middle_of_a_file(
    make_fetcher: Make, packed: Archived, store: DirectoryStore, server: NgasServer
) -> None:
    for file_id in packages(server):
        server.faults.set(Fault(cut_after=333_333), file_id=file_id)
    assert_all_staged(make_fetcher(), packed, store)


def test_a_damaged_package_leaves_nothing(
    make_fetcher: Make, packed: Archived, store: DirectoryStore, server: NgasServer
) -> None:
    for offset in (10, 600, 400_000):
        for file_id in packages(server):
            server.faults.set(Fault(corrupt_at=offset), file_id=file_id)
        event = packed.event.model_copy(update={"id": packed.event.id})
        told = failure(make_fetcher(), Archived(event, packed.folders))
        assert told.failure.reason is ReasonCode.CHECKSUM_MISMATCH
        assert not list(store.list("asdm/"))
        for info in list(store.list("requests/")):
            store.delete(info.key)


def test_a_package_without_all_binary_data_is_refused(
    make_fetcher: Make, archived: Archived, store: DirectoryStore, server: NgasServer, tmp_path: Path
) -> None:
    (archived.folders[EBS[0]] / "ASDMBinary" / bdf_names(0)[1]).unlink()
    tar_report(archived.folders[EBS[0]], EBS[0], server, work=tmp_path, write_to=tmp_path / "locations")
    told = failure(make_fetcher(), archived)
    assert told.failure.reason is ReasonCode.ASDM_INCOMPLETE
    assert bdf_names(0)[1] in told.failure.detail
    assert not list(store.list(f"asdm/{EBS[0].file_form}/"))


def script(path: Path, text: str) -> Path:
    path.write_text(
        f"#!{sys.executable}\nimport os, shutil, sys, time\nfrom pathlib import Path\nuid = sys.argv[-1]\n{text}"
    )
    path.chmod(0o755)
    return path


@pytest.fixture
def exporter(archived: Archived, tmp_path: Path) -> Path:
    """A command like asdmExportLight, with the archived blocks."""
    return script(
        tmp_path / "asdmExportLight",
        f"name = uid.replace(':', '_').replace('/', '_')\nshutil.copytree(Path({str(tmp_path)!r}) / name, name)\n",
    )


def exporting(command: Path, tmp_path: Path, **changes: object) -> dict[str, object]:
    (tmp_path / "exports").mkdir(exist_ok=True)
    return {"source": "export", "export_command": (str(command),), "export_directory": tmp_path / "exports", **changes}


def test_a_whole_asdm_comes_from_an_export_command(
    make_fetcher: Make, archived: Archived, exporter: Path, store: DirectoryStore, tmp_path: Path
) -> None:
    assert_all_staged(make_fetcher(**exporting(exporter, tmp_path)), archived, store)
    assert list((tmp_path / "exports").iterdir()) == []
    exporter.unlink()
    assert all(message.reused for message in staged(make_fetcher(**exporting(exporter, tmp_path)), archived).values())


def test_an_export_that_is_not_whole_is_refused(
    make_fetcher: Make, archived: Archived, exporter: Path, store: DirectoryStore, tmp_path: Path
) -> None:
    (archived.folders[EBS[0]] / "ASDMBinary" / bdf_names(0)[1]).unlink()
    told = failure(make_fetcher(**exporting(exporter, tmp_path)), archived)
    assert told.failure.reason is ReasonCode.ASDM_INCOMPLETE
    assert bdf_names(0)[1] in told.failure.detail
    assert not list(store.list(f"asdm/{EBS[0].file_form}/"))


def test_an_export_with_a_binary_file_that_is_empty_is_refused(
    make_fetcher: Make, archived: Archived, exporter: Path, store: DirectoryStore, tmp_path: Path
) -> None:
    (archived.folders[EBS[0]] / "ASDMBinary" / bdf_names(0)[1]).write_bytes(b"")
    told = failure(make_fetcher(**exporting(exporter, tmp_path)), archived)
    assert told.failure.reason is ReasonCode.ASDM_INCOMPLETE
    assert f"empty or cut off: ASDMBinary/{bdf_names(0)[1]}" in told.failure.detail
    assert not list(store.list(f"asdm/{EBS[0].file_form}/"))


def test_an_export_with_a_link_is_refused(
    make_fetcher: Make, archived: Archived, exporter: Path, tmp_path: Path
) -> None:
    exporter.write_text(exporter.read_text() + "os.symlink('/etc/passwd', name + '/Passwd.xml')\n")
    assert (
        "Passwd.xml, no plain file" in failure(make_fetcher(**exporting(exporter, tmp_path)), archived).failure.detail
    )


def test_an_export_that_fails_is_tried_later_and_its_words_are_told(
    make_fetcher: Make, archived: Archived, tmp_path: Path
) -> None:
    command = script(tmp_path / "broken", "sys.exit(f'no connection for {uid}')")
    # The blocks' exports run side by side: whichever failed first is told.
    with pytest.raises(ExportFailedError, match=f"exit code 1: no connection for ({'|'.join(EBS)})"):
        make_fetcher(**exporting(command, tmp_path)).handle(archived.event, RecordingDelivery())


def test_an_export_that_hangs_is_killed_with_all_it_began(
    make_fetcher: Make, archived: Archived, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    text = f"pid = os.fork()\nopen({str(pids)!r}, 'a').write(str(os.getpid()) + chr(10))\ntime.sleep(600)\n"
    fetcher = make_fetcher(**exporting(script(tmp_path / "hangs", text), tmp_path, export_time_limit=1))
    with pytest.raises(ExportFailedError, match="did not end within 1 s"):
        fetcher.handle(archived.event, RecordingDelivery())
    for pid in pids.read_text().split():
        assert has_ended(int(pid), within=5)


def has_ended(pid: int, *, within: float) -> bool:
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], within)[0])
    finally:
        os.close(watched)


def test_the_uid_reaches_the_command_without_a_shell(
    make_fetcher: Make, archived: Archived, exporter: Path, store: DirectoryStore, tmp_path: Path
) -> None:
    oddly_named = exporter.rename(tmp_path / "export; touch $HOME & light")
    assert_all_staged(make_fetcher(**exporting(oddly_named, tmp_path)), archived, store)


def test_a_direct_copy_is_read_verified_and_removed(
    make_fetcher: Make, archived: Archived, store: DirectoryStore, server: NgasServer, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    fetcher = make_fetcher(direct_copy_hosts=(server.address,), direct_copy_directory=shared)
    assert_all_staged(fetcher, archived, store)
    assert sum(request.sent for request in server.retrieved()) == 0
    assert list(shared.iterdir()) == []


def test_a_server_without_direct_copy_is_for_a_person_to_mend(
    make_fetcher: Make, archived: Archived, server: NgasServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("observatory.ngas.handler.DIRECT_COPY", "anotherDppi")
    fetcher = make_fetcher(direct_copy_hosts=(server.address,), direct_copy_directory=tmp_path)
    with pytest.raises(NgasRefusedError, match=r"has no direct copy.*4034.*direct copy hosts"):
        fetcher.handle(archived.event, RecordingDelivery())


@pytest.fixture
def tables(archived: Archived, server: NgasServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """NGAS's tables, as the server's own archive fills them, with a stale, an ignored and an unmounted replica."""
    path = tmp_path / "ngas.db"
    engine = create_engine(f"sqlite:///{path}")
    _NGAS.create_all(engine)
    disks = [
        {"disk_id": "d1", "host_id": "127.0.0.1:7777", "mounted": 1},
        {"disk_id": "d2", "host_id": "gone:1", "mounted": 0},
    ]
    hosts = [
        {"host_id": "127.0.0.1:7777", "domain": "", "srv_port": server.port, "cluster_name": "near"},
        {"host_id": "gone:1", "domain": "example.org", "srv_port": 1, "cluster_name": "far"},
    ]
    rows = []
    for file in server.store.files():
        row = {
            "disk_id": "d1",
            "file_id": file.file_id,
            "file_version": file.version,
            "file_size": file.size,
            "file_ignore": 0,
            "checksum": file.checksum,
            "checksum_plugin": file.checksum_plugin,
            "file_status": "00000000",
        }
        rows += [row, row | {"disk_id": "d2"}, row | {"file_version": 9, "file_ignore": 1}]
    with engine.begin() as connection:
        connection.execute(insert(_DISKS), disks)
        connection.execute(insert(_HOSTS), hosts)
        connection.execute(insert(_FILES), rows)
    engine.dispose()
    monkeypatch.setenv("ALMA_RESTORE_ARCHIVE_DB_URL", f"sqlite:///{path}")
    return path


@pytest.fixture
def without_reports(tmp_path: Path, archived: Archived) -> None:
    for path in (tmp_path / "locations").iterdir():
        path.unlink()


@pytest.mark.usefixtures("tables", "without_reports")
def test_ngas_tables_tell_where_tables_and_binary_data_are(
    make_fetcher: Make, archived: Archived, store: DirectoryStore
) -> None:
    assert_all_staged(make_fetcher(source="tables"), archived, store)


@pytest.mark.usefixtures("tables")
def test_a_block_that_the_tables_lack_is_missing(make_fetcher: Make, archived: Archived, tables: Path) -> None:
    engine = create_engine(f"sqlite:///{tables}")
    with engine.begin() as connection:
        connection.execute(_FILES.delete().where(_FILES.c.file_id.startswith(EBS[0].file_form + ".Main")))
    engine.dispose()
    told = failure(make_fetcher(source="tables"), archived)
    assert told.failure.reason is ReasonCode.FILE_NOT_IN_ARCHIVE
    assert "nor" in told.failure.detail
