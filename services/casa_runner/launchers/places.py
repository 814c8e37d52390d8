"""Decides which CASA does a job."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from contracts.reasons import ReasonCode
from services.casa_runner.launcher import Needs
from services.casa_runner.launchers.settings import CasaPlace
from shared.errors import BlockFailedError


def place_for(needs: Needs, casas: Mapping[str, CasaPlace], *, otherwise: CasaPlace) -> CasaPlace:
    """Find the CASA for a job.

    Parameters
    ----------
    needs
        What the job needs.
    casas
        Places by version; the first pattern that fits counts.
    otherwise
        The place of a job that needs no particular version.

    Raises
    ------
    BlockFailedError
        If there is none of the version that is needed (``casa_version_unavailable``).
    """
    if needs.casa_version is None:
        return otherwise
    for pattern, place in casas.items():
        if fnmatchcase(needs.casa_version, pattern):
            return place
    raise BlockFailedError(
        ReasonCode.CASA_VERSION_UNAVAILABLE,
        f"CASA {needs.casa_version} is needed; the launcher knows {', '.join(casas) or 'no version'}",
    )
