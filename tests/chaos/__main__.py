"""Chaos from the command line: ``python -m tests.chaos --seed 7``."""

import logging
from collections import Counter
from pathlib import Path
from random import SystemRandom
from typing import Annotated

import structlog
import typer
from rich.console import Console

from tests.chaos.plan import draw_plan
from tests.chaos.run import Report, run
from tests.chaos.site import REPLICAS


def main(
    requests: Annotated[int, typer.Option(min=1, help="How many requests are sent")] = 300,
    seconds: Annotated[float, typer.Option(min=10, help="How long things go wrong")] = 600.0,
    seed: Annotated[int | None, typer.Option(help="Replays the plan of an earlier run; drawn if not given")] = None,
    pause: Annotated[float, typer.Option(min=0.1, help="Mean seconds between two troubles")] = 2.0,
    keep: Annotated[
        Path | None, typer.Option(help="Empty directory in which everything is left, with all logs")
    ] = None,
) -> None:
    """Send requests while services, broker and store are killed and connections cut, then see whether all came right.

    Exit code 1 if anything did not.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    console = Console()
    seed = SystemRandom().randrange(1_000_000) if seed is None else seed
    victims = [f"{number} {name}" for number, name in enumerate(REPLICAS)]
    plan = draw_plan(seed=seed, requests=requests, seconds=seconds, victims=victims, pause=pause)
    again = f"python -m tests.chaos --seed {seed} --requests {requests} --seconds {seconds:g} --pause {pause:g}"
    console.print(f"seed {seed}; the same plan again: {again}", soft_wrap=True)
    report = run(plan, say=lambda text: console.print(text, highlight=False, soft_wrap=True), keep=keep)
    _show(console, report)
    console.print(f"again: {again}", soft_wrap=True)
    raise typer.Exit(1 if report.faults else 0)


def _show(console: Console, report: Report) -> None:
    kinds = Counter(" ".join(each.title.split(" ")[1:2]) for each in report.plan.asked)
    console.print("requests: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    console.print("troubles: " + ", ".join(f"{count} x {what}" for what, count in sorted(report.troubles.items())))
    console.print(f"events: {report.events} in the journal, {report.repeated} ids said more than once")
    for fault in report.faults:
        console.print(f"WRONG  {fault}", style="red", markup=False, soft_wrap=True)
    verdict = f"{len(report.faults)} faults" if report.faults else "every request at its right end, nothing left behind"
    console.print(f"{verdict}; {report.seconds:.0f} s")


if __name__ == "__main__":
    typer.run(main)
