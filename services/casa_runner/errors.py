"""Why a restore is put off: troubles of the runner, not of the data."""

from shared.errors import DependencyAwayError


class ScratchFullError(DependencyAwayError):
    """The scratch disk has no room for a restore now; it is tried again."""

    code = "scratch_full"


class CasaAwayError(DependencyAwayError):
    """CASA could not be started here; the data has not been looked at yet."""

    code = "casa_away"


class RestoreInterruptedError(DependencyAwayError):
    """The restore was ended because somebody else will do it: the delivery was lost, or the runner stops."""

    code = "restore_interrupted"
