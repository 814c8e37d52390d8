"""Every alert fires when it should and not when it should not, as Prometheus's own tool judges."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from dashboards.alerts import ALERTS
from dashboards.generate import RULES
from tests.unit.dashboards.alert_cases import CASES, Case, Series

PROMTOOL = shutil.which("promtool") or "promtool"


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def firing(folder: Path, name: str, series: Series, minute: int) -> bool:
    """Whether an alert fires: promtool compares with the expectation that it does not."""
    test = {
        "interval": "1m",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "alert_rule_test": [{"alertname": name, "eval_time": f"{minute}m", "exp_alerts": []}],
    }
    path = folder / "test.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}))
    said = promtool("test", "rules", path)
    assert not said or "got:[" in said.replace("\n", "").replace(" ", ""), said
    return bool(said)


def test_the_rules_are_understood() -> None:
    assert promtool("check", "rules", RULES) == ""


def test_every_alert_is_tested() -> None:
    assert set(CASES) == {alert.name for alert in ALERTS}


@pytest.mark.parametrize(("name", "case"), CASES.items(), ids=list(CASES))
def test_an_alert_fires_when_it_should_and_not_when_it_should_not(name: str, case: Case, tmp_path: Path) -> None:
    assert firing(tmp_path, name, case.fires, case.minute)
    assert not firing(tmp_path, name, case.quiet, case.minute)
