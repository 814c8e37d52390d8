"""Where an ASDM is cut in two, and what each half is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from services.casa_runner.halves import cut
from services.casa_runner.selection import Chosen
from tests.support.casa_orders import ALL

FIELDS = ("J0510+1800", "HLX_Target")
FIRST = 5_045_097_601_500_000_256
HEAD = f"<schedulePeriodTime>\n<time>{FIRST}</time>\n<interval>3000000000</interval>".encode()
MINUTE = 60 * 10**9


def row(scan: int, *, subscan: int = 1, field: int = 1, size: int = 100, at: int | None = None, **more: object) -> str:
    """Write a row of Main: five integrations of 3 s by 8 antennas."""
    values = {
        "time": 5_045_097_600_000_000_000 + (MINUTE * scan if at is None else at),
        "numAntenna": 8,
        "numIntegration": 5,
        "scanNumber": scan,
        "subscanNumber": subscan,
        "dataSize": size,
        "configDescriptionId": "ConfigDescription_0",
        "execBlockId": "ExecBlock_0",
        "fieldId": f"Field_{field}",
    } | more
    elements = "".join(f"<{name}> {value} </{name}>" for name, value in values.items() if value is not None)
    return f'<row>{elements}<dataUID><EntityRef entityId="uid://A002/X1/X{scan}"/></dataUID></row>'


@pytest.fixture
def asdm(tmp_path: Path) -> Callable[..., Path]:
    """Write an ASDM of some rows of Main."""

    def write(*rows: str, modes: tuple[str, str] = ("CROSS_ONLY", "AUTO_ONLY"), head: bytes = HEAD) -> Path:
        folder = tmp_path / "uid___A002_X1_X0"
        (folder / "ASDMBinary").mkdir(parents=True)
        (folder / "ASDMBinary" / "uid___A002_X1_X1").write_bytes(head)
        tables = {
            "Main": rows,
            "Field": [
                f"<row><fieldId>Field_{number}</fieldId><fieldName>{name}</fieldName></row>"
                for number, name in enumerate(FIELDS)
            ],
            "DataDescription": [
                f"<row><dataDescriptionId>DataDescription_{number}</dataDescriptionId>"
                f"<spectralWindowId>SpectralWindow_{number}</spectralWindowId></row>"
                for number in range(2)
            ],
            "ConfigDescription": [
                f"<row><configDescriptionId>ConfigDescription_{number}</configDescriptionId>"
                f"<correlationMode>{mode}</correlationMode><numDataDescription>1</numDataDescription>"
                f"<dataDescriptionId> 1 1 DataDescription_{number} </dataDescriptionId></row>"
                for number, mode in enumerate(modes)
            ],
        }
        for name, lines in tables.items():
            text = f"<?xml version='1.0' encoding='ISO-8859-1'?>\n<{name}Table>{''.join(lines)}</{name}Table>"
            (folder / f"{name}.xml").write_text(text, "latin-1")
        return folder

    return write


def scans_in(folder: Path) -> list[tuple[int, int]]:
    """Tell scan and subscan of each row of a half's Main table."""
    rows = etree.parse(folder / "Main.xml").getroot().findall("row")
    return [(int(row.findtext("scanNumber", "")), int(row.findtext("subscanNumber", ""))) for row in rows]


def test_each_half_has_its_scans_and_the_later_one_the_last_subscan_of_the_earlier_besides(
    asdm: Callable[..., Path],
) -> None:
    whole = asdm(row(1, field=0), row(2), row(2, subscan=2), row(3), row(4, field=0))

    halves = cut(whole, ALL)

    assert halves == {
        "folders": ("earlier", "later"),
        "rows_by_field": [{"J0510+1800": 140, "HLX_Target": 280}, {"J0510+1800": 140, "HLX_Target": 140}],
        "after": 2,
        "epoch": FIRST / 1e9,
    }
    earlier, later = (whole.parent / folder / whole.name for folder in ("earlier", "later"))
    assert scans_in(earlier) == [(1, 1), (2, 1), (2, 2)]
    assert scans_in(later) == [(2, 2), (3, 1), (4, 1)]
    for half in (earlier, later):
        assert {path.name for path in half.iterdir()} == {path.name for path in whole.iterdir()}
        assert not (half / "Main.xml").is_symlink()
        assert (half / "ASDMBinary" / "uid___A002_X1_X1").read_bytes() == HEAD
        assert (half / "Main.xml").read_text("latin-1").startswith("<?xml version='1.0' encoding='ISO-8859-1'?>")


@pytest.mark.parametrize(
    ("sizes", "after"),
    [([10, 10], 1), ([1, 1, 1, 5], 3), ([5, 1, 1], 1), ([48, 29, 5, 38, 5, 38, 5, 38, 5, 38], 5)],
)
def test_it_is_cut_where_both_halves_take_most_alike(asdm: Callable[..., Path], sizes: list[int], after: int) -> None:
    assert after_of(cut(asdm(*(row(scan, size=size) for scan, size in enumerate(sizes, 1))), ALL)) == after


def test_what_is_not_delivered_counts_for_its_import_alone(asdm: Callable[..., Path]) -> None:
    whole = asdm(row(1, field=0), row(2, field=0), row(3), row(4))
    assert (
        after_of(cut(whole, Chosen(fields=("HLX_Target",), spws=(), averaged=False, in_time=False, transform={}))) == 3
    )


def test_each_half_has_something_of_the_spectral_windows_that_are_delivered(asdm: Callable[..., Path]) -> None:
    others = [row(scan, configDescriptionId="ConfigDescription_1") for scan in (2, 3, 4)]
    whole = asdm(row(1), *others, modes=("CROSS_ONLY", "CROSS_ONLY"))
    assert cut(whole, Chosen(fields=(), spws=(0,), averaged=False, in_time=False, transform={})) is None


@pytest.mark.parametrize(("begins", "after"), [(56, 3), (57, 2)])
def test_the_later_half_begins_while_the_earths_rotation_of_the_first_integration_is_kept(
    asdm: Callable[..., Path], begins: int, after: int
) -> None:
    whole = asdm(row(1, at=0), row(2, at=20 * MINUTE), row(3, at=40 * MINUTE), row(4, at=begins * MINUTE, size=300))
    assert after_of(cut(whole, ALL)) == after


@pytest.mark.parametrize(
    "rows",
    [
        [row(1), row(1, subscan=2)],
        [row(2), row(1)],
        [row(1, subscan=2), row(1), row(2)],
        [row(1), row(2, execBlockId="ExecBlock_1")],
        [row(1, configDescriptionId="ConfigDescription_1"), row(2)],
        [row(1), row(2, dataSize=None)],
    ],
    ids=[
        "one scan",
        "scans in another order",
        "subscans in another order",
        "two execution blocks",
        "no cross-correlations to compare",
        "no sizes",
    ],
)
def test_it_is_not_cut_where_halves_might_not_be_the_whole(asdm: Callable[..., Path], rows: list[str]) -> None:
    whole = asdm(*rows)
    assert cut(whole, ALL) is None
    assert [path.name for path in whole.parent.iterdir()] == [whole.name]


def test_it_is_not_cut_if_rows_are_averaged_in_time(asdm: Callable[..., Path]) -> None:
    averaged = Chosen(fields=(), spws=(), averaged=True, in_time=True, transform={"timeaverage": True})
    assert cut(asdm(row(1), row(2)), averaged) is None


@pytest.mark.parametrize("head", [b"", b"<schedulePeriodTime>"])
def test_it_is_not_cut_if_nothing_tells_the_first_integration(asdm: Callable[..., Path], head: bytes) -> None:
    whole = asdm(row(1), row(2), head=head)
    assert cut(whole, ALL) is None
    (whole / "ASDMBinary" / "uid___A002_X1_X1").unlink()
    assert cut(whole, ALL) is None


def after_of(halves: dict[str, Any] | None) -> int:
    assert halves is not None
    return int(halves["after"])
