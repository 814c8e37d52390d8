"""Launchers are chosen by the environment, with the options of their kind only."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.casa_runner.launchers.choice import make_launcher
from services.casa_runner.launchers.kubernetes import KubernetesLauncher
from services.casa_runner.launchers.process import ProcessLauncher
from services.casa_runner.launchers.settings import CasaPlace, ContainerSettings, KubernetesSettings, ProcessSettings
from services.casa_runner.launchers.slurm import SlurmLauncher
from services.casa_runner.settings import CasaRunnerSettings

PREFIX = "ALMA_RESTORE_CASA_RUNNER_LAUNCHER__"


def test_without_a_word_casa_is_a_process_of_the_runners_python(tmp_path: Path) -> None:
    settings = CasaRunnerSettings()
    assert settings.launcher == ProcessSettings()
    assert make_launcher(settings.launcher, python=settings.python).is_ready()
    assert not make_launcher(settings.launcher, python=tmp_path / "missing").is_ready()


def test_a_place_that_is_set_counts_more_than_the_python(tmp_path: Path) -> None:
    settings = ProcessSettings(casa=CasaPlace(command=(str(tmp_path / "missing"),)))
    launcher = make_launcher(settings)
    assert isinstance(launcher, ProcessLauncher)
    assert not launcher.is_ready()


def test_the_environment_chooses_and_configures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}KIND", "container")
    monkeypatch.setenv(f"{PREFIX}MEMORY", "2GB")
    monkeypatch.setenv(f"{PREFIX}CASA", '{"image": "casa-6.7"}')
    monkeypatch.setenv(f"{PREFIX}BUILDS", '{"el[56]": {"image": "registry.example/{image}"}}')
    launcher = CasaRunnerSettings().launcher
    assert isinstance(launcher, ContainerSettings)
    assert (launcher.memory, launcher.casa.image) == (2 * 10**9, "casa-6.7")
    assert launcher.builds["el[56]"].image == "registry.example/{image}"


def test_slurm_is_one_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}KIND", "slurm")
    assert isinstance(make_launcher(CasaRunnerSettings().launcher), SlurmLauncher)


def test_kubernetes_is_one_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}KIND", "kubernetes")
    monkeypatch.setenv(f"{PREFIX}NAMESPACE", "restores")
    launcher = CasaRunnerSettings().launcher
    assert isinstance(launcher, KubernetesSettings)
    assert launcher.namespace == "restores"
    assert isinstance(make_launcher(launcher), KubernetesLauncher)


@pytest.mark.parametrize("change", [{"kind": "pbs"}, {"kind": "process", "image": "x"}, {"kind": "slurm", "cores": 0}])
def test_what_no_launcher_knows_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CasaRunnerSettings.model_validate({"launcher": change})


@pytest.mark.parametrize("user", ["0:0", "root", "4242"])
def test_a_container_is_never_roots(user: str) -> None:
    with pytest.raises(ValidationError):
        ContainerSettings(user=user)
