"""Cuts an ASDM in two between scans, so that two processes restore it at once (`casa/halves.py`).

Each half is a folder with links to the whole ASDM's files, and a Main table with some of its rows.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from pathlib import Path
from typing import Any

from lxml import etree

from services.casa_runner.asdm import MAX_TABLE_BYTES, Rows, read_promise, rows_in, text_of
from services.casa_runner.observed import spws_by_configuration
from services.casa_runner.selection import Chosen
from shared.pipeline_files import read_xml

FOLDERS = ("earlier", "later")
# Importing takes about a fourth of the time, correcting and writing the rest; what is not delivered is only imported.
_IMPORT_SHARE = 0.25
# CASA's measures keep the earth's rotation of an epoch for 0.04 days: so long after the first integration, a minute
# left, the later half's import goes on with what the whole's began with.
_LATEST_LATER_NS = int((0.04 * 86_400 - 60) * 10**9)
# A BDF begins with some kilobytes of headers; the first integration's tells its middle.
_HEAD_BYTES = 65_536
_INTEGRATION = re.compile(rb"<schedulePeriodTime>\s*<time>\s*(\d+)\s*</time>")


@dataclass(frozen=True)
class _Observation:
    """What a row of Main stands for.

    Attributes
    ----------
    place
        Scan and subscan.
    time
        When it was, ns; tables differ in whether they tell its start or its middle.
    is_cross
        Whether it has cross-correlations.
    is_chosen
        Whether some of it is delivered.
    size
        Bytes.
    data
        Name of the BDF.
    block
        The execution block that it is of.
    """

    place: tuple[int, int]
    time: int
    is_cross: bool
    is_chosen: bool
    size: int
    data: str
    block: str


def cut(asdm: Path, chosen: Chosen) -> dict[str, Any] | None:
    """Lay out both halves beside an ASDM, if it can be cut.

    Parameters
    ----------
    asdm
        The ASDM's folder.
    chosen
        What is delivered.

    Returns
    -------
    dict or None
        What CASA's script has to know: ``folders``; ``rows_by_field`` of each, without what both have; the last scan
        of the earlier half (``after``); the middle of the first integration, seconds (``epoch``). None: rows are
        averaged in time or do not come scan by scan, one half would be without what is delivered, the earlier one
        would be too long, or there are several execution blocks.
    """
    rows_of = rows_in(lambda name: (asdm / f"{name}.xml").read_bytes())
    try:
        observations = list(_observations(rows_of, chosen))
    except (KeyError, ValueError):  # what a promise does not need may be missing, and then it is imported whole
        return None
    first = next((one for one in observations if one.is_cross), None)
    epoch = _INTEGRATION.search(_head_of(asdm / "ASDMBinary" / first.data)) if first else None
    after = None if chosen.in_time or epoch is None else _last_of_earlier(observations, begun=int(epoch[1]))
    if after is None or epoch is None:
        return None
    seam = max(one.place for one in observations if one.place[0] == after)
    is_earlier = [one.place <= seam for one in observations]
    wanted = (is_earlier, [one.place >= seam for one in observations])
    for folder, rows in zip(FOLDERS, wanted, strict=True):
        _lay_out(asdm, asdm.parent / folder / asdm.name, rows)
    own = (is_earlier, [not earlier for earlier in is_earlier])
    return {
        "folders": FOLDERS,
        "rows_by_field": [read_promise(partial(_some, rows_of, rows)).rows_by_field for rows in own],
        "after": after,
        "epoch": int(epoch[1]) / 1e9,
    }


def _head_of(path: Path) -> bytes:
    """Read a file's beginning; nothing if it is not there, which CASA tells."""
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD_BYTES)
    except OSError:
        return b""


def _some(rows_of: Rows, wanted: Sequence[bool], name: str) -> Sequence[etree._Element]:
    """Give some rows of Main, and all rows of other tables."""
    return list(compress(rows_of(name), wanted)) if name == "Main" else rows_of(name)


def _observations(rows_of: Rows, chosen: Chosen) -> Iterator[_Observation]:
    names = {text_of(row, "fieldId"): text_of(row, "fieldName") for row in rows_of("Field")}
    spws = spws_by_configuration(rows_of)
    cross = {
        text_of(row, "configDescriptionId")
        for row in rows_of("ConfigDescription")
        if text_of(row, "correlationMode") != "AUTO_ONLY"
    }
    for row in rows_of("Main"):
        configuration, entity = text_of(row, "configDescriptionId"), row.find("dataUID/EntityRef")
        yield _Observation(
            place=(int(text_of(row, "scanNumber")), int(text_of(row, "subscanNumber"))),
            time=int(text_of(row, "time")),
            is_cross=configuration in cross,
            is_chosen=(not chosen.fields or names[text_of(row, "fieldId")] in chosen.fields)
            and (not chosen.spws or bool(set(spws[configuration]) & set(chosen.spws))),
            size=int(text_of(row, "dataSize")),
            data="" if entity is None else entity.get("entityId", "").replace("/", "_").replace(":", "_"),
            block=text_of(row, "execBlockId"),
        )


def _last_of_earlier(observations: list[_Observation], *, begun: int) -> int | None:
    """Choose the scan after which two halves take about as long; None if what began then (ns) cannot be cut."""
    places = [one.place for one in observations]
    if len({one.block for one in observations}) != 1 or places != sorted(places):
        return None
    weights = [one.size * (one.is_chosen + _IMPORT_SHARE) for one in observations]
    total, earlier, best = sum(weights), 0.0, None
    for number, one in enumerate(observations[:-1]):
        earlier += weights[number]
        rest = observations[number + 1 :]
        if one.place[0] == rest[0].place[0]:
            continue
        before = observations[: number + 1]
        is_good = (
            any(each.is_chosen for each in before)
            and any(each.is_chosen for each in rest)
            and any(each.is_cross for each in before if each.place == one.place)
            and rest[0].time - begun < _LATEST_LATER_NS
        )
        if is_good and (best is None or abs(total - 2 * earlier) < best[0]):
            best = abs(total - 2 * earlier), one.place[0]
    return best[1] if best else None


def _lay_out(asdm: Path, half: Path, wanted: list[bool]) -> None:
    """Make a half: links to the whole's files, and a Main table with the wanted rows."""
    half.mkdir(parents=True)
    for path in asdm.iterdir():
        if path.name != "Main.xml":
            (half / path.name).symlink_to(Path("..", "..", asdm.name, path.name))
    main = read_xml((asdm / "Main.xml").read_bytes(), max_bytes=MAX_TABLE_BYTES)
    for row, is_wanted in zip(main.findall("row"), wanted, strict=True):
        if not is_wanted:
            main.remove(row)
    tree = main.getroottree()
    tree.write(half / "Main.xml", xml_declaration=True, encoding=tree.docinfo.encoding or "UTF-8")
