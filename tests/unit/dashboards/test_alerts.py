"""Every alert fires when it should and not when it should not, as Prometheus's own tool judges."""

import re
import shutil
import subprocess
from itertools import chain
from pathlib import Path

import yaml

from dashboards.alerts import ALERTS
from dashboards.generate import RULES, boards
from tests.unit.dashboards.alert_cases import CASES, Series, ledger_of_single_runners

PROMTOOL = shutil.which("promtool") or "promtool"


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def firing(folder: Path, situations: dict[str, Series]) -> set[str]:
    """Name the alerts that fire, each in its own situation: promtool compares with the expectation that none does."""
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": one, "values": values} for one, values in series.items()],
            "alert_rule_test": [{"alertname": name, "eval_time": f"{CASES[name].minute}m", "exp_alerts": []}],
        }
        for name, series in situations.items()
    ]
    path = folder / "test.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    said = promtool("test", "rules", path)
    fired = set(re.findall(r"alertname: (\w+), time: \S+,\s+exp:\[\s*\],\s+got:\[", said))
    assert bool(fired) == bool(said), said
    return fired


def test_the_rules_are_understood() -> None:
    assert promtool("check", "rules", RULES) == ""


def test_every_alert_is_tested() -> None:
    assert set(CASES) == {alert.name for alert in ALERTS}


def test_every_alert_fires_when_it_should(tmp_path: Path) -> None:
    assert set(CASES) - firing(tmp_path, {name: case.fires for name, case in CASES.items()}) == set()


def test_no_alert_fires_when_it_should_not(tmp_path: Path) -> None:
    assert firing(tmp_path, {name: case.quiet for name, case in CASES.items()}) == set()


def test_failed_restores_are_seen_where_a_runner_ends_after_each(tmp_path: Path) -> None:
    name = "AlmaRestoreRestoresFail"
    assert firing(tmp_path, {name: ledger_of_single_runners(failed=5, restored=9)}) == {name}
    assert firing(tmp_path, {name: ledger_of_single_runners(failed=5, restored=20)}) == set()
    assert firing(tmp_path, {name: ledger_of_single_runners(failed=2, restored=2)}) == set()


def test_a_trigger_file_that_stays_is_told_of_by_one_desk_as_by_two(tmp_path: Path) -> None:
    name = "AlmaRestoreTriggersNotTaken"
    stuck = 'alma_restore_triggers_stuck{{cause="fault",instance="desk-{}"}}'
    assert firing(tmp_path, {name: {stuck.format(1): "0x30 1x60"}}) == {name}
    assert firing(tmp_path, {name: {stuck.format(1): "0x30 1x60", stuck.format(2): "0x90"}}) == {name}


def said_of(folder: Path, expressions: list[str], instances: int) -> str:
    """Evaluate expressions where so many desks tell of one ledger; promtool says what it gets instead of nothing."""
    series = [
        {"series": f'alma_restore_ledger_{name}{{{label},instance="desk-{number}"}}', "values": "10x60"}
        for name, label in (
            ("requests", 'state="resolved"'),
            ("blocks", 'state="fetched"'),
            ("steps", 'step="fetch"'),
            ("stuck_requests", 'step="fetch"'),
        )
        for number in range(instances)
    ]
    asked = [{"expr": expr, "eval_time": "30m", "exp_samples": []} for expr in expressions]
    path = folder / "expressions.yml"
    path.write_text(
        yaml.safe_dump(
            {
                "evaluation_interval": "1m",
                "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": asked}],
            }
        )
    )
    return promtool("test", "rules", path)


def test_what_two_desks_tell_of_one_ledger_is_not_added_up(tmp_path: Path) -> None:
    panels = chain.from_iterable(row.panels for board in boards() for row in board.rows)
    asked = [query.expr for panel in panels for query in panel.queries] + [alert.expr for alert in ALERTS]
    asked = [expr for expr in asked if re.search(r"alma_restore_ledger_(requests|blocks|steps|stuck_requests)", expr)]
    one = said_of(tmp_path, asked, 1)
    assert one.count("E+01") >= 7, one
    assert said_of(tmp_path, asked, 2) == one
