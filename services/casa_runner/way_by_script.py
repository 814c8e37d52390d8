"""Restores what was calibrated by hand: the delivered scriptForPI runs the block's own script in the CASA it names."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from contracts.messages import RestoreOrdered
from contracts.messages.parts import NamedRef
from contracts.reasons import ReasonCode
from services.casa_runner.casas import ChosenCasa
from services.casa_runner.observed import Observed
from services.casa_runner.selection import Chosen
from services.casa_runner.single_pass import Rule
from services.casa_runner.staging import Inputs
from services.casa_runner.workspace import Attempt
from shared.errors import BlockFailedError

SCRIPT = Path(__file__).parent / "casa" / "by_script.py"
SCRIPT_FOR_PI = "scriptForPI.py"
_FOLDERS = ("raw", "calibration", "script", "product", "qa", "log")
# Of the ASDM: what the script itself asks for, with flux or polarisation scripts (scriptForPI 1.23).
_SCRATCH_FACTOR = 14.0


@dataclass(frozen=True, kw_only=True)
class ScriptWay:
    """The way of scriptForPI; see `Way`.

    Attributes
    ----------
    shell
        Starts the application that the script was written for.
    member
        Folder of the delivery, in ``working``.
    script_for_pi
        Name of the script.
    needed_fields
        Fields that have to come out.
    """

    casa: ChosenCasa
    shell: tuple[str, ...]
    member: str
    script_for_pi: str
    eb_name: str
    needed_fields: tuple[str, ...]
    why: str = Rule.BY_HAND.value
    method: ClassVar[str] = "scriptForPI"
    script: ClassVar[Path] = SCRIPT
    makes_all: ClassVar[bool] = False
    scratch_factor: ClassVar[float] = _SCRATCH_FACTOR

    @classmethod
    def plan(cls, casa: ChosenCasa, order: RestoreOrdered, observed: Observed, chosen: Chosen) -> "ScriptWay":
        """Plan it for an order.

        Raises
        ------
        BlockFailedError
            If scriptForPI was not staged, or spectral windows are asked for, which these scripts number anew.
        """
        assert casa.shell is not None
        if chosen.spws:
            raise BlockFailedError(
                ReasonCode.SELECTION_NOT_FOUND,
                "data that was calibrated by hand has its spectral windows numbered anew: ask for all of them",
            )
        found = [product.name for product in order.products if product.name.endswith(SCRIPT_FOR_PI)]
        if len(found) != 1:
            raise BlockFailedError(
                ReasonCode.PRODUCTS_INCOMPLETE, f"one {SCRIPT_FOR_PI} is needed; staged: {', '.join(found) or 'none'}"
            )
        return cls(
            casa=casa,
            shell=casa.shell,
            member=f"member.{order.request.mous_uid.file_form}",
            script_for_pi=found[0],
            eb_name=order.eb_uid.file_form,
            needed_fields=chosen.fields or observed.science_fields,
        )

    def lay_out(self, inputs: Inputs, attempt: Attempt, *, limit: int) -> None:  # noqa: ARG002  # the script unpacks
        """Lay the delivery out as the script expects it: what is named ``*.py`` or a request beside it."""
        inputs.write_asdm(attempt)
        delivery = attempt.working / self.member
        for folder in _FOLDERS:
            (delivery / folder).mkdir(parents=True)
        (delivery / "raw" / f"{self.eb_name}.asdm.sdm").symlink_to(Path("../../../rawdata") / self.eb_name)
        inputs.write_products(lambda product: delivery / _folder_of(product))

    def job(self, attempt: Attempt) -> dict[str, Any]:
        """Tell where application and scripts are."""
        return {
            "shell": list(self.shell),
            "shell_version": self.casa.version,
            "shell_environment": {},
            "delivery": str(attempt.working / self.member),
            "script_for_pi": self.script_for_pi,
            "needed_fields": list(self.needed_fields),
        }


def _folder_of(product: NamedRef) -> str:
    return "script" if product.name.endswith(".py") else "calibration"
