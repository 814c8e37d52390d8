"""Plans a restore: which CASA does it, and in which way."""

from contracts.messages import RestoreOrdered
from contracts.messages.parts import CalibrationKind
from contracts.reasons import ReasonCode
from services.casa_runner.casas import Casas
from services.casa_runner.launchers.choice import make_places
from services.casa_runner.observed import Observed
from services.casa_runner.products import calls_needed
from services.casa_runner.requested import Asked
from services.casa_runner.selection import Chosen
from services.casa_runner.settings import CasaRunnerSettings
from services.casa_runner.staging import Inputs
from services.casa_runner.way_by_script import ScriptWay
from services.casa_runner.ways import Way, choose_way
from shared.errors import BlockFailedError


class Planner:
    """Decides how blocks are restored here.

    Parameters
    ----------
    settings
        The runner's.
    """

    def __init__(self, *, settings: CasaRunnerSettings) -> None:
        self._wanted = settings.way
        places = make_places(settings.launcher, python=settings.python)
        self._casas = Casas(places=places, policy=settings.version_policy, accepted=settings.versions)

    def plan(self, asked: Asked, order: RestoreOrdered, inputs: Inputs, observed: Observed, chosen: Chosen) -> Way:
        """Choose CASA and way for an order.

        Raises
        ------
        BlockFailedError
            If no CASA here can do it, or its calibration cannot be read.
        """
        by_hand = order.calibration is CalibrationKind.MANUAL
        if by_hand != (asked is Asked.IMPORT):
            raise BlockFailedError(
                ReasonCode.PPR_INVALID,
                f"a block calibrated {'by hand' if by_hand else 'by the pipeline'} is not restored with {asked.value}",
            )
        if by_hand:
            return ScriptWay.plan(self._casas.for_script(order), order, observed, chosen)
        casa = self._casas.for_calibration(order)
        calls = calls_needed(inputs.calls, chosen.fields)
        return choose_way(asked, calls, observed, casa=casa, wanted=self._wanted, averaged=chosen.averaged)
