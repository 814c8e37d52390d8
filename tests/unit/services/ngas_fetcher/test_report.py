"""Location reports in NRAO's format, good and bad."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.identifiers import ExecBlockUid
from services.ngas_fetcher.checksums import Checksum, ChecksumKind
from services.ngas_fetcher.errors import LocationUnusableError
from services.ngas_fetcher.location import AsdmLocation, UnsafePathError, safe_path
from services.ngas_fetcher.report import read_report

EB = ExecBlockUid("uid://A002/Xc7111c/X3979")


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "ngas_file_id": "A002/Xc7111c/X397b",
        "subdirectory": "ASDMBinary",
        "relative_path": "uid___A002_Xc7111c_X397b",
        "checksum": "-1",
        "checksum_type": "ngamsGenCrc32",
        "version": 2,
        "size": 5,
        "server": {"server": "ngas1:7777", "location": "DSOC", "cluster": "DSOC", "retrieve_method": "stream"},
    } | changes


def read(*entries: dict[str, Any]) -> AsdmLocation:
    data = json.dumps({"files": entries, "aggregate_size": 0}).encode()
    return read_report(EB, data, origin="r.json")


def test_an_entry_becomes_a_file_below_the_asdm() -> None:
    (file,) = read(entry()).files
    assert file.path == "ASDMBinary/uid___A002_Xc7111c_X397b"
    assert (file.file_id, file.version, file.size, file.servers) == ("A002/Xc7111c/X397b", 2, 5, ("ngas1:7777",))
    assert file.checksum == Checksum(ChecksumKind.CRC32, 0xFFFFFFFF)


@pytest.mark.parametrize("subdirectory", ["", None, "."])
def test_a_table_lies_in_the_asdms_directory_itself(subdirectory: str | None) -> None:
    assert read(entry(subdirectory=subdirectory, relative_path="Main.xml")).files[0].path == "Main.xml"


def test_a_file_on_two_servers_has_two_replicas_in_the_reports_order() -> None:
    (file,) = read(entry(), entry(server={"server": "ngas0:7777"})).files
    assert file.servers == ("ngas1:7777", "ngas0:7777")


def test_two_different_files_for_one_path_are_refused() -> None:
    with pytest.raises(LocationUnusableError, match="two different files for ASDMBinary/"):
        read(entry(), entry(version=3))


@pytest.mark.parametrize(
    "changes",
    [
        {"relative_path": "/etc/passwd", "subdirectory": ""},
        {"relative_path": "../x"},
        {"subdirectory": "../.."},
        {"subdirectory": "/tmp"},
        {"relative_path": "a\\b"},
        {"relative_path": "a\nb"},
        {"relative_path": "a//b"},
        {"checksum_type": "md5"},
        {"size": -1},
        {"version": 0},
        {"server": {}},
        {"ngas_file_id": ""},
    ],
)
def test_a_bad_entry_is_refused_with_the_reports_name(changes: dict[str, Any]) -> None:
    with pytest.raises(LocationUnusableError, match=r"location report r\.json cannot be used"):
        read(entry(**changes))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"files": []}', b"\xff"])
def test_what_is_no_report_is_refused(data: bytes) -> None:
    with pytest.raises(LocationUnusableError):
        read_report(EB, data, origin="r.json")


@given(parts=st.lists(st.text(), min_size=1, max_size=3))
def test_a_safe_path_never_leads_out(parts: list[str]) -> None:
    try:
        path = safe_path(*parts)
    except UnsafePathError:
        return
    assert not path.startswith("/")
    assert not {"", ".", ".."} & set(path.split("/"))


def test_the_content_changes_with_version_checksum_size_and_path_but_not_with_the_server() -> None:
    same = read(entry(server={"server": "elsewhere:1"})).content
    changed = {
        read(entry(**change)).content
        for change in ({"version": 3}, {"checksum": "7"}, {"size": 6}, {"relative_path": "x"})
    }
    assert same == read(entry()).content
    assert len(changed | {same}) == 5
