"""How long it takes to build and to read the processing request of a MOUS with 200 blocks in 100 sessions.

``python -m tests.benchmarks.bench_ppr``; the yardstick is what lxml alone needs to parse the same bytes and to write
them again.
"""

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median

from lxml import etree

from contracts.identifiers import ExecBlockUid, SessionName
from contracts.messages.parts import MousStructure, Session
from services.ppr_builder.build import processing_request
from shared.pipeline_files.ppr import Kind, find_recipe, read_ppr, write_ppr
from tests.benchmarks.report import Figure, close, in_turn
from tests.support.samples import STRUCTURE

SESSIONS = 100
BLOCKS_PER_SESSION = 2
CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LIMIT = 50.0
REPEATS = 10


def structure() -> MousStructure:
    """Make a MOUS of the size that is asked for."""
    sessions = tuple(
        Session(
            name=SessionName.numbered(number),
            execution_blocks=tuple(
                ExecBlockUid(f"uid://A002/X{number:x}/X{place:x}") for place in range(BLOCKS_PER_SESSION)
            ),
        )
        for number in range(1, SESSIONS + 1)
    )
    return STRUCTURE.model_copy(update={"sessions": sessions})


def build(mous: MousStructure) -> bytes:
    """Build the longest request that there is: calibration and imaging."""
    recipe = find_recipe(Kind.CALIMAGE, "6.6.6")
    request = processing_request(
        mous, mous.execution_blocks, procedure=recipe.procedure(), observing_mode=recipe.intent, created=CREATED
    )
    return write_ppr(request)


def timed(action: Callable[[], object]) -> Callable[[], float]:
    """Return a measurement of an action in milliseconds, the median of some repeats."""

    def once() -> float:
        started = time.perf_counter()
        action()
        return (time.perf_counter() - started) * 1000

    return lambda: median(once() for _ in range(REPEATS))


def main() -> None:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    mous = structure()
    data = build(mous)
    assert len(read_ppr(data).execution_blocks) == SESSIONS * BLOCKS_PER_SESSION
    values = in_turn(
        {
            "build": timed(lambda: build(mous)),
            "read": timed(lambda: read_ppr(data)),
            "lxml": timed(lambda: etree.tostring(etree.fromstring(data))),
        },
        rounds,
    )
    medians = {name: median(found) for name, found in values.items()}
    print(f"{len(data)} bytes; lxml alone parses and writes them in {medians['lxml']:.3g} ms")
    close(
        [
            Figure("building the PPR of 200 blocks in 100 sessions", medians["build"], LIMIT, at_most=True, unit=" ms"),
            Figure("reading it back", medians["read"], LIMIT, at_most=True, unit=" ms"),
        ]
    )


if __name__ == "__main__":
    main()
