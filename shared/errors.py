"""The one tree of errors: each says its code, whether a retry can help, and what to do."""

from typing import ClassVar

from contracts.reasons import ReasonCode


class RestoreError(Exception):
    """An error that this project raises on purpose.

    The message is the operator's sentence: what happened, where, what to do.
    ``code`` is stable and goes into logs, metrics and dead letters; ``transient``
    answers whether the same work can succeed later without anybody's help.
    """

    code: ClassVar[str] = "error"
    transient: ClassVar[bool] = False


class DependencyAwayError(RestoreError):
    """A system that we depend on does not answer; the message waits and is tried again."""

    code = "dependency_away"
    transient = True


class MisconfiguredError(RestoreError):
    """A setting is missing or wrong; a person has to change it."""

    code = "misconfigured"


class BlockFailedError(RestoreError):
    """An execution block cannot be restored: a result, told to the request, not a broken service.

    Parameters
    ----------
    reason
        The reason as the contract names it.
    detail
        What exactly was found: file, expected, got, where.
    """

    code = "block_failed"

    def __init__(self, reason: ReasonCode, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


def behind(error: BaseException) -> str:
    """Say what is behind an error of urllib3's, which name pools and one another at length."""
    while isinstance(inner := getattr(error, "reason", None) or error.__cause__, BaseException):
        error = inner
    return (isinstance(error, OSError) and error.strerror) or str(error)
