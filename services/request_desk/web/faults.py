"""What a call can be refused for: each fault has its HTTP status, a stable code and a sentence."""

from typing import ClassVar

from shared.errors import RestoreError


class CallError(RestoreError):
    """A call cannot be answered as it was made.

    Parameters
    ----------
    detail
        What, where, and what to do; shown to the caller.
    reason
        What exactly was refused, for the log.
    headers
        Go with the answer.
    """

    status: ClassVar[int] = 400
    code = "bad_call"
    title: ClassVar[str] = "The call cannot be understood"

    def __init__(self, detail: str, *, reason: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reason = reason or self.code
        self.headers = headers or {}


class UnknownCallerError(CallError):
    """Nobody knows who calls."""

    status = 401
    code = "sign_in_needed"
    title = "Please sign in"

    def __init__(self, detail: str, *, reason: str = "") -> None:
        super().__init__(detail, reason=reason, headers={"WWW-Authenticate": 'Bearer realm="alma-restore"'})


class RefusedError(CallError):
    """Who calls may not do this."""

    status = 403
    code = "not_allowed"
    title = "This is not allowed"


class NotThereError(CallError):
    """There is no such thing, or none that who calls may see."""

    status = 404
    code = "not_found"
    title = "There is nothing here"


class ConflictError(CallError):
    """What is asked for does not go together with how things are."""

    status = 409
    code = "conflict"
    title = "This cannot be done now"


class TooLongError(CallError):
    """A body is longer than it may be."""

    status = 413
    code = "too_long"
    title = "This is too long"


class UnusableError(CallError):
    """The values that were sent cannot be used."""

    status = 422
    code = "unusable"
    title = "Something in what you sent cannot be used"


class TooManyError(CallError):
    """There are too many calls or requests of one person."""

    status = 429
    code = "too_many"
    title = "Too many at once"


class AwayError(CallError):
    """A system that is needed for the answer does not answer."""

    status = 503
    code = "away"
    title = "Please try again in a moment"

    def __init__(self, detail: str, *, reason: str = "") -> None:
        super().__init__(detail, reason=reason, headers={"Retry-After": "5"})
