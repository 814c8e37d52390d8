"""Where CASA runs, set as docs/launchers.md shows it."""

from pathlib import Path
from typing import TypeVar

import pytest

from services.casa_runner.launchers.settings import ContainerSettings, KubernetesSettings, SlurmSettings
from services.casa_runner.settings import CasaRunnerSettings
from tests.support.code_blocks import blocks_of
from tests.support.settings_examples import of_shell

PAGE = Path(__file__).parents[2] / "docs" / "launchers.md"
Shown = TypeVar("Shown", ContainerSettings, KubernetesSettings, SlurmSettings)


def documented(kind: type[Shown]) -> Shown:
    """Return the launcher that a runner has with the variables in the document's section of that launcher."""
    heading = str(kind.model_fields["kind"].default).capitalize()
    section = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (block,) = (block for block in blocks_of(section) if block.language == "sh")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in of_shell(block.text):
            patch.setenv(name, value)
        launcher = CasaRunnerSettings().launcher
    assert isinstance(launcher, kind), f"{PAGE.name} shows under {heading}: {launcher.kind}"
    return launcher
