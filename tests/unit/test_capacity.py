"""The tables of the capacity page follow from the figures that it names: nobody calculates them by hand again."""

import math
import re
from collections.abc import Callable

import pytest

from contracts.envelope import Event
from tests.support.settings_tables import ROOT

PAGE = (ROOT / "docs" / "capacity.md").read_text()
ROWS = {
    cells[0].strip("* "): [cell.strip("* ") for cell in cells[1:4]]
    for line in PAGE.splitlines()
    if len(cells := line.strip("| ").split(" | ")) == 5
}
UNITS = {
    "MB/s": 1e6,
    "GB/s": 1e9,
    "TB": 1e12,
    "PB": 1e15,
    "MB": 1e6,
    "GB": 1e9,
    "%": 0.01,
    "days": 1.0,
    "hours": 1 / 24,
}
REQUESTS = (10, 1_000, 100_000)
DAY = 86_400
PEAK = 3


def given(pattern: str) -> float:
    """Read a figure that the page names."""
    found = re.search(pattern, PAGE)
    assert found is not None, pattern
    return float(found[1].replace(",", ""))


BLOCKS = given(r"\| execution blocks a request \| (\d+) \|")
SIZE = given(r"ASDM \| ([\d.]+) GB") * 1e9
FETCH = SIZE / given(r"into the store \| .* GB / (\d+) MB/s = 9") / 1e6
IN = SIZE / given(r"ASDM out of the store \| .* / (\d+) MB/s") / 1e6
CASA = given(r"CASA, single pass, one process \| [\d.]+ \| ([\d.]+) s")
OUT = SIZE / given(r"tar into the store \| .* / (\d+) MB/s") / 1e6
SERVER = 2 * (given(r"2 × \(([\d.]+) \+") + given(r"2 × \([\d.]+ \+ ([\d.]+)\)")) * SIZE / 1e9
BUSY = round(IN, 1) + CASA + round(OUT, 1)
RESTORE_WORDS, FETCH_WORDS = int(CASA), round(FETCH / 0.5)
EVENTS = 7 + BLOCKS * (4 + RESTORE_WORDS + FETCH_WORDS)


def sent(*topics: str) -> int:
    """Bytes of messages as they are sent."""
    files = [ROOT / "tests" / "golden" / "messages" / f"org.alma-restore.{topic}.v1.json" for topic in topics]
    return sum(len(Event.decode(file.read_bytes()).encode()) for file in files)


OF_REQUEST = sent(
    "request.submitted",
    "request.accepted",
    "structure.resolved",
    "products.ready",
    "release.granted",
    "delivery.announced",
    "mail.sent",
)
OF_BLOCK = sent("artefacts.staged", "restore.ordered", "restore.started", "restore.completed")
RESTORE_WORD, FETCH_WORD = sent("restore.progressed"), sent("fetch.progressed")
BYTES = OF_REQUEST + BLOCKS * (OF_BLOCK + RESTORE_WORDS * RESTORE_WORD + FETCH_WORDS * FETCH_WORD)
BUS = given(r"of ([\d,]+) a second \(\[the bus\]")
LEDGER = given(r"of ([\d,]+) a second on SQLite")


def rate(requests: float) -> float:
    """Blocks a second."""
    return requests * BLOCKS / DAY


EXPECTED: dict[str, Callable[[float], float]] = {
    "blocks a day": lambda n: n * BLOCKS,
    "runners busy, mean": lambda n: rate(n) * BUSY,
    "runners, busiest hours": lambda n: math.ceil(rate(n) * BUSY * PEAK),
    "out of NGAS, mean": lambda n: rate(n) * SIZE,
    "out of NGAS, busiest hours": lambda n: rate(n) * SIZE * PEAK,
    "fetchers": lambda n: math.ceil(rate(n) * FETCH * PEAK),
    "into and out of the store, busiest hours": lambda n: rate(n) * SIZE * PEAK * 4,
    "cores of the store, busiest hours": lambda n: rate(n) * SERVER * PEAK,
    "space of the store": lambda n: n * BLOCKS * 28 * 2 * SIZE,
    "events a second, busiest hours": lambda n: n * EVENTS / DAY * PEAK,
    "of what the bus consumes": lambda n: n * EVENTS / DAY * PEAK / BUS,
    "of them progress": lambda n: rate(n) * (RESTORE_WORDS + FETCH_WORDS) * PEAK,
    "of what the ledger takes of progress": lambda n: rate(n) * (RESTORE_WORDS + FETCH_WORDS) * PEAK / LEDGER,
    "journal for 14 days": lambda n: n * 14 * BYTES,
}


@pytest.mark.parametrize("row", EXPECTED)
def test_a_row_follows_from_what_the_page_names(row: str) -> None:
    for requests, cell in zip(REQUESTS, ROWS[row], strict=True):
        number, _, unit = cell.partition(" ")
        factor = UNITS.get(unit, 1.0)
        decimals = len(number.partition(".")[2])
        shown = float(number.replace(",", ""))
        assert abs(EXPECTED[row](requests) / factor - shown) <= 0.51 * 10**-decimals, (row, requests, cell)


def test_the_words_of_the_page_give_the_same() -> None:
    assert f"**{BUSY:.1f} s**, of which it computes" in PAGE
    assert f"= **{EVENTS:.0f} a request**" in PAGE
    words = f"{RESTORE_WORDS} × {RESTORE_WORD} + {FETCH_WORDS} × {FETCH_WORD}"
    assert f"{OF_REQUEST:,} + {BLOCKS:.0f} × ({OF_BLOCK:,} + {words}) = **{BYTES / 1e3:.0f} kB a request**" in PAGE
    assert f"| {SERVER:.1f}" in PAGE or f"= {SERVER:.1f} |" in PAGE
