"""Makes the launcher that the settings name."""

import sys
from pathlib import Path
from typing import assert_never

from services.casa_runner.launcher import NO_NEEDS, Launcher
from services.casa_runner.launchers.container import ContainerLauncher
from services.casa_runner.launchers.kubernetes import KubernetesLauncher
from services.casa_runner.launchers.places import Places
from services.casa_runner.launchers.process import ProcessLauncher
from services.casa_runner.launchers.settings import (
    CasaPlace,
    ContainerSettings,
    KubernetesSettings,
    LauncherSettings,
    ProcessSettings,
    SlurmSettings,
)
from services.casa_runner.launchers.slurm import SlurmLauncher
from shared.casa_catalogue import CasaCatalogue, CasaCatalogueSettings, open_catalogue


def make_launcher(
    settings: LauncherSettings, *, python: Path = Path(sys.executable), catalogue: CasaCatalogue | None = None
) -> Launcher:
    """Make a launcher.

    Parameters
    ----------
    settings
        Which one, and what it needs to know.
    python
        Runs CASA's scripts as processes, if the settings name nothing else.
    catalogue
        The version table; that of the settings in the environment if None.

    Raises
    ------
    MisconfiguredError
        If its settings cannot work here.
    """
    places = make_places(settings, python=python, catalogue=catalogue)
    match settings:
        case ProcessSettings():
            return ProcessLauncher(command=places.find(NO_NEEDS).command, places=places, memory=settings.memory)
        case ContainerSettings():
            return ContainerLauncher(settings=settings, places=places)
        case SlurmSettings():
            return SlurmLauncher(settings=settings, places=places)
        case KubernetesSettings():
            return KubernetesLauncher(settings=settings, places=places)
        case _:
            assert_never(settings)


def make_places(
    settings: LauncherSettings, *, python: Path = Path(sys.executable), catalogue: CasaCatalogue | None = None
) -> Places:
    """Say where the CASAs are that a launcher starts; see `make_launcher`."""
    casa = settings.casa
    if isinstance(settings, ProcessSettings) and "casa" not in settings.model_fields_set:
        casa = CasaPlace(command=(str(python),))
    catalogue = catalogue or open_catalogue(CasaCatalogueSettings())
    return Places(casa=casa, casas=settings.casas, builds=settings.builds, catalogue=catalogue)
