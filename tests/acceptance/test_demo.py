"""The command ``demo`` to its end, of few requests: what it says, and its exit code."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alma_restore.cli import app
from alma_restore.demo import run as demo
from alma_restore.demo.scenario import Asked, scenario
from contracts.reasons import ReasonCode
from observatory.metadata_demo import EMPTY_FIRST_SESSION
from observatory.miniature import MiniatureAlma

FIRST, REFUSED = scenario()[0], next(asked for asked in scenario() if asked.title == "Cycle 0")
ONE_BLOCK = replace(
    FIRST,
    request=FIRST.request.model_copy(update={"mous_uid": EMPTY_FIRST_SESSION.uid}),
    expected=replace(FIRST.expected, files=1),
)
OTHERWISE = replace(REFUSED, expected=replace(REFUSED.expected, reason=ReasonCode.NOT_ENTITLED))

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, observatory_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the demonstration of these requests, on an ALMA of one execution block."""

    def run(*asked: Asked) -> Result:
        monkeypatch.setattr(demo, "scenario", lambda: asked)
        monkeypatch.setattr(demo, "MiniatureAlma", partial(MiniatureAlma, mouss=(EMPTY_FIRST_SESSION,)))
        command = ["demo", "--directory", str(tmp_path / "out"), "--cache", str(observatory_cache)]
        return CliRunner(env={"COLUMNS": "200"}).invoke(app, command)

    return run


def row(shown: str, asked: Asked) -> str:
    """The last line about a request, in the table of what came out."""
    return [line for line in shown.splitlines() if line.strip().startswith(asked.title)][-1].rstrip()


def test_the_demonstration_ends_well_when_all_came_out_as_expected_and_says_where_it_lies(
    run: Run, tmp_path: Path
) -> None:
    shown = run(ONE_BLOCK, REFUSED)
    assert shown.exit_code == 0, shown.output
    assert "delivered: 1 tar " in row(shown.stdout, ONE_BLOCK)
    assert "refused (cycle_0)" in row(shown.stdout, REFUSED)
    assert all(row(shown.stdout, asked).endswith("yes") for asked in (ONE_BLOCK, REFUSED))
    assert all(len(line) <= 200 for line in shown.stdout.splitlines())
    assert f"Deliveries: {tmp_path / 'out' / 'deliveries'}" in shown.stdout
    assert len(list(tmp_path.glob("out/deliveries/*/*.tar"))) == 1


def test_a_row_that_came_out_otherwise_is_told_and_ends_the_demonstration_with_1(run: Run) -> None:
    shown = run(OTHERWISE)
    assert shown.exit_code == 1, shown.output
    told = [line.rstrip() for line in shown.stdout.splitlines()]
    assert "Cycle 0: reason: cycle_0 instead of not_entitled" in told
    assert [line.endswith("no") for line in told if line.startswith(" Cycle 0")] == [True]
    assert not any("mails" in line for line in told if line.startswith("Cycle 0:"))
