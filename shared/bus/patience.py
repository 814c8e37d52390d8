"""How long the broker lets a consumer hold an event, against how long a handler may work.

RabbitMQ takes back what was not acknowledged within ``consumer_timeout``, 30 minutes
unless somebody raised it. From 3.12 on a consumer may ask for more when it begins, and
that takes precedence over every other setting (RabbitMQ's documentation on consumer
timeouts; from 4.3 on for quorum queues only, which ours are). Before, only the
configuration file of the broker can raise it, and AMQP cannot read it: so it is a
setting of ours what the file says.
"""

import re
from typing import Any

from shared.errors import MisconfiguredError

DEFAULT_TIMEOUT = 1800.0
"""Seconds; the broker's own default."""
_ASKABLE_SINCE = (3, 12)
_MARGIN = 3600.0
"""Seconds beyond the longest handling, for what is said at its end while the broker is slow."""


def consumer_arguments(
    queue: str, *, longest: float | None, version: str, broker_timeout: float | None
) -> dict[str, Any]:
    """Return the arguments by which a consumer asks for the time that it needs.

    Parameters
    ----------
    queue
        The service.
    longest
        Seconds that handling an event may take; None if nothing special is needed.
    version
        The broker's, e.g. ``3.10.8``.
    broker_timeout
        Seconds that the broker's configuration file is said to allow; None if nobody said.

    Raises
    ------
    MisconfiguredError
        If the broker would take an event back too early, with what to set.
    """
    if longest is None:
        return {}
    needed = longest + _MARGIN
    if _numbers(version) >= _ASKABLE_SINCE:
        return {"x-consumer-timeout": round(needed * 1000)}
    allowed = DEFAULT_TIMEOUT if broker_timeout is None else broker_timeout
    if allowed >= longest:
        return {}
    raise MisconfiguredError(
        f"{queue} may hold an event for {longest:.0f} s, and RabbitMQ {version} takes it back after {allowed:.0f} s. "
        f"Put `consumer_timeout = {needed * 1000:.0f}` into rabbitmq.conf on every node and restart it (or, until its "
        f"next restart, `rabbitmqctl eval 'application:set_env(rabbit, consumer_timeout, {needed * 1000:.0f}).'`), "
        f"then set ALMA_RESTORE_BUS__BROKER_CONSUMER_TIMEOUT={needed:.0f}. "
        "From RabbitMQ 3.12 on neither is needed"
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
