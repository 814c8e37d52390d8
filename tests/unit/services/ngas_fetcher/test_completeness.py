"""Which binary files a Main table names."""

import pytest

from services.ngas_fetcher.completeness import UnreadableMainTableError, binary_paths
from tests.unit.services.ngas_fetcher.samples import bdf_names, main_table

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
