"""The command ``alma-restore doctor``: examines every dependency of a deployment, and says what to do."""

import json
import sys
from collections import Counter
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from alma_restore.registry import BUILDERS
from alma_restore.surroundings import BadArgumentsError, clear_errors
from shared.findings import Finding, Verdict
from shared.logs import configure_logs

console = Console()
_COLOURS = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("doctor")(doctor)


def doctor(
    services: Annotated[
        list[str] | None, typer.Argument(help="Services whose dependencies are examined; all if none is named")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One finding a line, for programs")] = False,
) -> None:
    """Examine every dependency of a deployment, and say what to do.

    Reads the settings of the services from the environment, as they do
    themselves: run it where a service runs, e.g. in its container. A few small
    objects are written into the store and removed again; no mail is sent.

    Exit codes: 0 nothing fails (warnings are shown); 1 something fails; 2 wrong arguments.
    """
    with clear_errors():
        from alma_restore.examining import examine

        configure_logs(form="text", level="CRITICAL", stream=sys.stderr)
        chosen = services or list(BUILDERS)
        if unknown := sorted(set(chosen) - set(BUILDERS)):
            raise BadArgumentsError(f"there is no service {', '.join(unknown)}; there are {', '.join(BUILDERS)}")
        count = Counter[Verdict]()
        for finding in examine(chosen):
            count[finding.verdict] += 1
            _show(finding, as_json=as_json)
    if not as_json:
        console.print(
            f"{count[Verdict.OK]} ok, {count[Verdict.WARN]} warn, {count[Verdict.FAIL]} fail", highlight=False
        )
    raise typer.Exit(1 if count[Verdict.FAIL] else 0)


def _show(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(finding)), flush=True)
        return
    line = Text.assemble((f"{finding.verdict:<5}", _COLOURS[finding.verdict]), f"{finding.check}: {finding.found}")
    console.print(line, soft_wrap=True)
    if finding.advice:
        console.print(Text(f"     -> {finding.advice}"), soft_wrap=True)
