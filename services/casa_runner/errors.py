"""Why a restore is put off: troubles of the runner, not of the data."""

from shared.errors import DependencyAwayError


class ScratchFullError(DependencyAwayError):
    """The scratch disk has no room for a restore now; it is tried again."""

    code = "scratch_full"


class CasaAwayError(DependencyAwayError):
    """CASA could not be started here; the data has not been looked at yet."""

    code = "casa_away"


class RestoreInterruptedError(DependencyAwayError):
    """The runner works on this restore no more: somebody else will do it, or nobody wants it.

    Attributes
    ----------
    works_on
        Whether CASA goes on, for the next runner that gets the order.
    """

    code = "restore_interrupted"

    def __init__(self, detail: str, *, works_on: bool = False) -> None:
        super().__init__(detail)
        self.works_on = works_on
