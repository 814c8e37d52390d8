"""Errors that a bus raises besides `shared.errors.DependencyAwayError`."""

import re

from shared.errors import DependencyAwayError, RestoreError


class DeliveryLostError(DependencyAwayError):
    """The bus took the delivery back that something was to be said for: whoever gets it next says it."""

    code = "delivery_lost"


class UnroutableError(RestoreError):
    """No queue takes the event: the topology is not declared, or a queue was removed.

    Transient, since the event's cause waits until somebody has declared the topology.
    """

    code = "unroutable"
    transient = True


class UnpublishableError(RestoreError):
    """An event cannot be written as JSON; nothing of its batch was published."""

    code = "unpublishable"


class MisaddressedError(Exception):
    """An event came to a queue whose service does not take its topic; a newer replica may take it."""

    code = "misaddressed"


def in_words(error: BaseException | str) -> str:
    """Say what is behind pika's errors, which wrap each other and name one another at length."""
    if isinstance(error, RestoreError):
        return str(error)
    behind = [getattr(error, "exception", None), *getattr(error, "exceptions", ()), *getattr(error, "args", ())]
    for inner in reversed(behind):
        if isinstance(inner, BaseException):
            return in_words(inner)
    if said := _SAID.search(str(error)):
        return said[2].rstrip(".")
    return (isinstance(error, OSError) and error.strerror) or repr(error)


_SAID = re.compile(r"""ConnectionClosedByBroker: \(\d+\) (['"])(.*)\1""")
"""How pika tells, within another error, what the broker said when it closed a connection."""
