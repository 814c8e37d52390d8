"""How long the broker lets a consumer hold an event, against how long a handler may work.

RabbitMQ takes back what was not acknowledged within ``consumer_timeout``, 30 minutes
unless somebody raised it. Who can raise it depends on the broker's version
(RabbitMQ's documentation on consumers, and of 4.3 on consumer timeouts):

* from 4.3 on the consumer, when it begins; that takes precedence over all else,
* from 3.12 on the queue, by an argument that it is made with; a consumer that asks is not heard
  (its argument was removed before 3.12.0 and came back with 4.3),
* before, only the broker's configuration file, which AMQP cannot read: so it is a
  setting of ours what the file says.
"""

import re
from typing import Any

from shared.errors import MisconfiguredError

DEFAULT_TIMEOUT = 1800.0
"""Seconds; the broker's own default."""
_CONSUMER_ASKS_SINCE = (4, 3)
_QUEUE_HAS_SINCE = (3, 12)
_MARGIN = 3600.0
"""Seconds beyond the longest work, for what is fetched before it, and stored and said after it."""


def consumer_arguments(
    queue: str, *, longest: float | None, version: str, queue_timeout: float | None, broker_timeout: float | None
) -> dict[str, Any]:
    """Return the arguments by which a consumer asks for the time that it needs.

    Parameters
    ----------
    queue
        The service.
    longest
        Seconds that the work on an event may take; None if nothing special is needed.
    version
        The broker's, e.g. ``3.10.8``.
    queue_timeout
        Seconds that the queue was made with; None if it was made without.
    broker_timeout
        Seconds that the broker's configuration file is said to allow; None if nobody said.

    Raises
    ------
    MisconfiguredError
        If the broker would take an event back too early, with what to set.
    """
    if longest is None:
        return {}
    needed, known = longest + min(longest, _MARGIN), numbers(version)
    if known >= _CONSUMER_ASKS_SINCE:
        return {"x-consumer-timeout": round(needed * 1000)}
    of_queue = queue_timeout if known >= _QUEUE_HAS_SINCE else None
    allowed = of_queue or broker_timeout or DEFAULT_TIMEOUT
    if allowed >= needed:
        return {}
    told = _told_for_queue(needed) if of_queue else _told_for_broker(needed)
    raise MisconfiguredError(
        f"{queue} may hold an event for {needed:.0f} s, and RabbitMQ {version} takes it back after {allowed:.0f} s. "
        + told
    )


def _told_for_queue(needed: float) -> str:
    return (
        f"Set ALMA_RESTORE_BUS__HOLD_LIMIT={needed:.0f} for every service and `alma-restore topology apply`, "
        "delete the queue once it is empty, and apply again: RabbitMQ cannot change a queue"
    )


def _told_for_broker(needed: float) -> str:
    return (
        f"Put `consumer_timeout = {needed * 1000:.0f}` into rabbitmq.conf on every node and restart it (or, until its "
        f"next restart, `rabbitmqctl eval 'application:set_env(rabbit, consumer_timeout, {needed * 1000:.0f}).'`), "
        f"then set ALMA_RESTORE_BUS__BROKER_CONSUMER_TIMEOUT={needed:.0f}. "
        "From RabbitMQ 3.12 on neither is needed"
    )


def numbers(version: str) -> tuple[int, ...]:
    """Read a version's first two numbers, to compare it."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
