"""Which binary files a Main table names."""

from pathlib import Path

import pytest

from services.ngas_fetcher.completeness import UnreadableMainTableError, binary_paths, check_whole
from shared.errors import BlockFailedError
from tests.unit.services.ngas_fetcher.samples import EBS, bdf_names, main_table

TABLE = main_table(bdf_names(0)).encode()
PATHS = {f"ASDMBinary/{name}" for name in bdf_names(0)}


@pytest.mark.parametrize("size", [1, 7, 1000, len(TABLE)])
def test_every_named_binary_file_is_found_however_the_table_is_cut(size: int) -> None:
    assert binary_paths(TABLE[n : n + size] for n in range(0, len(TABLE), size)) == PATHS


def test_the_older_spelling_of_the_element_is_read_too() -> None:
    assert binary_paths([TABLE.replace(b"dataUID", b"dataOid")]) == PATHS


def test_other_references_are_not_taken_for_binary_data() -> None:
    other = b'<row><execBlockUID><EntityRef entityId="uid://A002/X1/X1"/></execBlockUID></row>'
    assert binary_paths([TABLE.replace(b"</MainTable>", other + b"</MainTable>")]) == PATHS


@pytest.mark.parametrize("data", [b"", b"no table", TABLE[:-20]])
def test_a_table_that_is_no_xml_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableMainTableError, match=r"Main\.xml is not well-formed"):
        binary_paths([data])


MESSAGE = (
    b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="MIME_boundary-1"; type="text/xml"\n'
    b"Content-Description: ALMA Binary Data\n\n--MIME_boundary-1\nContent-Type: text/xml\n\n<sdmDataHeader/>\n"
    b"--MIME_boundary-1\n" + b"\x00\xff" * 2000 + b"\n--MIME_boundary-1--\n"
)


def test_a_binary_file_that_was_written_to_its_end_is_whole(tmp_path: Path) -> None:
    (tmp_path / "bdf").write_bytes(MESSAGE)
    check_whole(EBS[0], tmp_path, ["bdf"])


@pytest.mark.parametrize("kept", [0, 1, 12, 40, 300, 3000, len(MESSAGE) - 3])
def test_a_binary_file_that_is_empty_or_cut_off_is_told(tmp_path: Path, kept: int) -> None:
    (tmp_path / "whole").write_bytes(MESSAGE)
    (tmp_path / "cut").write_bytes(MESSAGE[:kept])
    with pytest.raises(BlockFailedError, match="1 of its binary files are empty or cut off: cut"):
        check_whole(EBS[0], tmp_path, ["whole", "cut"])
