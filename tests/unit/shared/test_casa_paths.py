"""Where CASA cannot work, nothing that leads to it is begun."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from rich.console import Console

from alma_restore.demo.run import run_demo
from services.casa_runner.settings import CasaRunnerSettings
from shared.casa_paths import fit_for_casa
from shared.errors import MisconfiguredError

UNFIT = ["it's", "a$HOME"]


@pytest.mark.parametrize("name", ["plain", "a b", 'a"b', "a~b", "a;b", "a*b", "a`id`b", "é"])
def test_what_casa_can_work_below_is_taken_as_it_is(name: str, tmp_path: Path) -> None:
    assert fit_for_casa(tmp_path / name) == tmp_path / name
    assert CasaRunnerSettings(scratch=tmp_path / name).scratch == tmp_path / name


@pytest.mark.parametrize("name", UNFIT)
def test_a_runner_does_not_start_where_casa_cannot_work(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="CASA cannot copy tables: choose another"):
        CasaRunnerSettings(scratch=tmp_path / name / "scratch")


def test_a_relative_path_is_judged_by_where_it_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "it's").mkdir()
    monkeypatch.chdir(tmp_path / "it's")
    with pytest.raises(ValidationError, match="it's"):
        CasaRunnerSettings(scratch=Path("scratch"))


@pytest.mark.parametrize("name", UNFIT)
@pytest.mark.parametrize("which", ["directory", "cache"])
def test_the_demonstration_says_so_before_it_makes_anything(which: str, name: str, tmp_path: Path) -> None:
    places = {"directory": tmp_path / "out", "cache": tmp_path / "cache"} | {which: tmp_path / name}
    with pytest.raises(MisconfiguredError, match="CASA cannot copy tables"):
        run_demo(console=Console(), runners=1, directory=places["directory"], cache=places["cache"])
    assert list(tmp_path.iterdir()) == []
