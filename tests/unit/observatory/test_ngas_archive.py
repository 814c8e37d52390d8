"""The archive of the small NGAS server lasts, and can be filled and spoilt from other processes."""

import json
import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest

from contracts.identifiers import ExecBlockUid
from observatory.ngas import Archive, Fault, FaultBoard, NgasServer, location_report

EB = ExecBlockUid("uid://A002/Xc7111c/X3979")


def fetched(port: int, file_id: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", f"/RETRIEVE?file_id={file_id}")
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


def test_what_was_archived_is_there_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    first = Archive(tmp_path / "ngas")
    stored = first.archive(tmp_path / "file", "a/b c")
    assert Archive(tmp_path / "ngas").find("a/b c") == stored


def test_the_same_bytes_keep_their_version_and_others_get_the_next(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "ngas")
    path = tmp_path / "file"
    path.write_bytes(b"data")
    assert archive.archive(path, "x", version=None).version == 1
    assert archive.archive(path, "x", version=None).version == 1
    other = tmp_path / "other"
    other.write_bytes(b"more data")
    assert archive.archive(other, "x", version=None).version == 2
    assert [file.version for file in archive.files()] == [1, 2]


def test_an_unknown_checksum_plug_in_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="unknown checksum plug-in 'md5'"):
        Archive(tmp_path / "ngas").archive(tmp_path / "file", "x", checksum_plugin="md5")


def test_a_server_of_its_own_serves_files_and_faults_that_others_set(tmp_path: Path) -> None:
    root = tmp_path / "ngas"
    process = subprocess.Popen(
        [sys.executable, "-m", "observatory.ngas", "--root", str(root)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        (tmp_path / "file").write_bytes(b"data")
        Archive(root).archive(tmp_path / "file", "late")
        assert fetched(port, "late") == (200, b"data")
        FaultBoard(root).set(Fault(busy=True, times=1), file_id="late")
        assert fetched(port, "late")[0] == 503
        assert fetched(port, "late")[0] == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_report_has_every_file_of_the_asdm_in_nraos_format(tmp_path: Path) -> None:
    asdm = tmp_path / EB.file_form
    (asdm / "ASDMBinary").mkdir(parents=True)
    (asdm / "Main.xml").write_text("<MainTable/>")
    (asdm / "ASDMBinary" / "uid___A002_Xc7111c_X397b").write_bytes(b"12345")
    with NgasServer(tmp_path / "ngas") as server:
        report = location_report(asdm, EB, server, write_to=tmp_path / "locations")
        address = server.address
    assert json.loads((tmp_path / "locations" / f"{EB.file_form}.json").read_text()) == report
    assert report["aggregate_size"] == 17
    bdf, main = report["files"]
    assert (main["ngas_file_id"], main["subdirectory"], main["relative_path"]) == (
        "uid___A002_Xc7111c_X3979.Main.xml",
        "",
        "Main.xml",
    )
    assert bdf == {
        "ngas_file_id": "A002/Xc7111c/X397b",
        "subdirectory": "ASDMBinary",
        "relative_path": "uid___A002_Xc7111c_X397b",
        "checksum": "3421846044",
        "checksum_type": "ngamsGenCrc32",
        "version": 1,
        "size": 5,
        "server": {
            "server": address,
            "location": "OBSERVATORY",
            "cluster": "observatory",
            "retrieve_method": "stream",
        },
    }
