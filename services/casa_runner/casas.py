"""Decides which CASA restores a block: the version table's for its calibration where there is one."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from contracts.messages import RestoreOrdered
from contracts.reasons import ReasonCode
from services.casa_runner.launcher import NO_NEEDS, Needs
from services.casa_runner.launchers.places import Places
from services.casa_runner.launchers.settings import CasaPlace
from services.casa_runner.settings import Policy
from shared.errors import BlockFailedError


@dataclass(frozen=True, kw_only=True)
class ChosenCasa:
    """The CASA that restores a block.

    Attributes
    ----------
    version
        What the launcher is asked for; None: its usual one.
    only_version
        The one version that may apply the calibration; None: any.
    shell
        Command of the whole application, to which ``-c FILE`` can be added; None if there are only modules.
    has_pipeline
        Whether the ALMA pipeline is in it.
    """

    version: str | None = None
    only_version: str | None = None
    shell: tuple[str, ...] | None = None
    has_pipeline: bool = False


class Casas:
    """The CASAs at hand.

    Parameters
    ----------
    places
        Where they are.
    policy
        Whether the usual one may stand in for the one that made a calibration.
    accepted
        Versions whose calibrations the usual one may apply (policy ``listed``).
    """

    def __init__(self, *, places: Places, policy: Policy, accepted: Sequence[str]) -> None:
        self._places = places
        self._policy = policy
        self._accepted = tuple(accepted)

    def for_calibration(self, order: RestoreOrdered) -> ChosenCasa:
        """Choose the CASA of the version that made the calibration, else the usual one where that may do it.

        Raises
        ------
        BlockFailedError
            If there is neither (``casa_version_unavailable``).
        """
        version = order.casa_version
        try:
            place = self._places.find(Needs(casa_version=version))
        except BlockFailedError:
            return self._usual(order)
        return ChosenCasa(
            version=version, only_version=self._only(order), shell=place.shell, has_pipeline=_has_pipeline(place, order)
        )

    def for_script(self, order: RestoreOrdered) -> ChosenCasa:
        """Choose the CASA that a delivered script was written for; no other will do.

        Raises
        ------
        BlockFailedError
            If it is not here, or only its modules are (``casa_version_unavailable``).
        """
        place = self._places.find(Needs(casa_version=order.casa_version))
        if place.shell is None:
            raise BlockFailedError(
                ReasonCode.CASA_VERSION_UNAVAILABLE,
                f"the calibration script needs the whole application CASA {order.casa_version}, and its place has no "
                "shell",
            )
        return ChosenCasa(version=order.casa_version, only_version=order.casa_version, shell=place.shell)

    def _usual(self, order: RestoreOrdered) -> ChosenCasa:
        if self._policy == "listed" and not any(fnmatchcase(order.casa_version, each) for each in self._accepted):
            raise BlockFailedError(
                ReasonCode.CASA_VERSION_UNAVAILABLE,
                f"calibrated with CASA {order.casa_version}, which is not here; the usual one applies calibrations of "
                f"{', '.join(self._accepted)}",
            )
        place = self._places.find(NO_NEEDS)
        return ChosenCasa(only_version=self._only(order), shell=place.shell, has_pipeline=place.pipeline or False)

    def _only(self, order: RestoreOrdered) -> str | None:
        return order.casa_version if self._policy == "same" else None


def _has_pipeline(place: CasaPlace, order: RestoreOrdered) -> bool:
    """Believe the place's own word, else the version table's, which says which releases have a pipeline."""
    if place.shell is None:
        return False
    if place.pipeline is not None:
        return place.pipeline
    return order.casa is not None and order.casa.pipeline is not None
