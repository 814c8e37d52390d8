"""Makes the launcher that the settings name."""

from typing import assert_never

from services.casa_runner.launcher import Launcher
from services.casa_runner.launchers.container import ContainerLauncher
from services.casa_runner.launchers.process import ProcessLauncher
from services.casa_runner.launchers.settings import (
    ContainerSettings,
    LauncherSettings,
    ProcessSettings,
    SlurmSettings,
)
from services.casa_runner.launchers.slurm import SlurmLauncher


def make_launcher(settings: LauncherSettings) -> Launcher:
    """Make a launcher.

    Raises
    ------
    MisconfiguredError
        If its settings cannot work here.
    """
    match settings:
        case ProcessSettings():
            return ProcessLauncher(command=settings.casa.command, casas=settings.casas, memory=settings.memory)
        case ContainerSettings():
            return ContainerLauncher(settings=settings)
        case SlurmSettings():
            return SlurmLauncher(settings=settings)
        case _:
            assert_never(settings)
