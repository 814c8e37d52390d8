"""Which exchanges and queues there are in RabbitMQ, and how they are made.

::

    publish ──► <p>.events ──#──► <p>.journal            (stream: every event, for onlookers and the ledger)
                    │
                    └──#──► <p>.services ──topic──► <p>.<queue> ──► <p>.<queue>.dead
                                 │                     ▲   │
                                 │ no queue took it    │   ▼
                                 ▼                     └─ <p>.wait.<ms>
                            <p>.unclaimed ──declared topics──► <p>.refused

The journal makes every event routable, so the broker would not say when the queue
of a service is gone. Therefore what no service's queue takes falls through to the
alternate exchange; there a queue without room takes every topic that was ever
declared, and refuses it: the publisher gets a negative confirmation. A topic that
no service takes matches nothing there and lives in the journal alone.

What waits for another try lies in a queue per delay, whichever service it is for: it
was published there with the service's queue as routing key, and expires to it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.flow import LONG_WORK
from shared.bus.retry import RetryPolicy
from shared.bus.settings import RabbitSettings

_NO_LIMIT = 1_000_000
"""Returns without limit: a browsed dead letter goes back and counts; from 4.0 on the default limit is 20."""
_LEADING_ON = {
    "x-queue-type": "quorum",
    "x-dead-letter-exchange": "",
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",  # without it the strategy silently falls back to at-most-once
}
"""Arguments of a quorum queue whose expired or given-up messages get to another one without loss."""
_WITHOUT_ROOM = {
    "x-queue-type": "classic",  # said, since a virtual host may make quorum queues where nothing is; they take some
    "x-max-length": 0,
    "x-overflow": "reject-publish",
}
"""Arguments of a queue that refuses every message."""


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A durable exchange."""

    name: str
    kind: str = "topic"
    alternate: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """What it is declared with."""
        return {"alternate-exchange": self.alternate} if self.alternate else {}


@dataclass(frozen=True, kw_only=True)
class Queue:
    """A durable queue."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Binding:
    """A way from an exchange to a queue, or to another exchange.

    Attributes
    ----------
    has_arguments
        Whether it was made with arguments; none of ours is.
    """

    exchange: str
    topic: str
    queue: str | None = None
    to_exchange: str | None = None
    has_arguments: bool = False

    @property
    def destination(self) -> str:
        """Where it leads."""
        return self.queue or self.to_exchange or ""

    def __str__(self) -> str:
        """Name it: bindings have no names of their own."""
        arguments = " (with arguments)" if self.has_arguments else ""
        return f"binding {self.exchange} -{self.topic}-> {self.destination}{arguments}"


@dataclass(frozen=True, kw_only=True)
class Topology:
    """All that is to be there."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]


class Names:
    """Names of exchanges and queues in the broker.

    Parameters
    ----------
    prefix
        Begins them all.
    """

    def __init__(self, prefix: str) -> None:
        self.events = f"{prefix}.events"
        self.services = f"{prefix}.services"
        self.unclaimed = f"{prefix}.unclaimed"
        self.journal = f"{prefix}.journal"
        self.refused = f"{prefix}.refused"
        self._prefix = prefix

    def is_ours(self, queue: str) -> bool:
        """Whether a queue of this name could be one of ours."""
        return queue.startswith(f"{self._prefix}.")

    def queue(self, service: str) -> str:
        """Name a service's queue."""
        return f"{self._prefix}.{service}"

    def dead(self, service: str) -> str:
        """Name a service's dead letters."""
        return f"{self._prefix}.{service}.dead"

    def wait(self, delay: float) -> str:
        """Name the exchange and the queue in which events wait for so many seconds."""
        return f"{self._prefix}.wait.{milliseconds(delay)}"


def milliseconds(delay: float) -> int:
    """Turn seconds into the broker's unit, at least 1."""
    return max(1, round(delay * 1000))


def topology(queues: Mapping[str, tuple[str, ...]], *, settings: RabbitSettings, retry: RetryPolicy) -> Topology:
    """Tell what has to be there for these queues and their topics."""
    names = Names(settings.prefix)
    topics = sorted({topic for taken in queues.values() for topic in taken})
    return Topology(
        exchanges=(
            Exchange(name=names.events),
            Exchange(name=names.unclaimed),
            Exchange(name=names.services, alternate=names.unclaimed),
            *(Exchange(name=names.wait(delay), kind="fanout") for delay in retry.steps),
        ),
        queues=(
            _journal(names, settings),
            Queue(name=names.refused, arguments=_WITHOUT_ROOM),
            *(_waiting(delay, names) for delay in retry.steps),
            *(queue for service in queues for queue in _of_service(service, names, settings)),
        ),
        bindings=(
            *(
                Binding(exchange=names.services, topic=topic, queue=names.queue(service))
                for service, taken in queues.items()
                for topic in taken
            ),
            *(Binding(exchange=names.unclaimed, topic=topic, queue=names.refused) for topic in topics),
            *(Binding(exchange=names.wait(delay), topic="", queue=names.wait(delay)) for delay in retry.steps),
            Binding(exchange=names.events, topic="#", queue=names.journal),
            Binding(exchange=names.events, topic="#", to_exchange=names.services),
        ),
    )


def _journal(names: Names, settings: RabbitSettings) -> Queue:
    arguments = {
        "x-queue-type": "stream",
        "x-max-length-bytes": settings.journal_bytes,
        "x-max-age": settings.journal_age,
        "x-stream-max-segment-size-bytes": 100_000_000,
    }
    return Queue(name=names.journal, arguments=arguments)


def _waiting(delay: float, names: Names) -> Queue:
    return Queue(name=names.wait(delay), arguments=_LEADING_ON | {"x-message-ttl": milliseconds(delay)})


def _of_service(service: str, names: Names, settings: RabbitSettings) -> Iterator[Queue]:
    yield Queue(name=names.dead(service), arguments={"x-queue-type": "quorum", "x-delivery-limit": _NO_LIMIT})
    own: dict[str, Any] = {
        "x-dead-letter-routing-key": names.dead(service),
        "x-delivery-limit": settings.delivery_limit,
    }
    if (held := hold_limit(service, settings)) is not None:
        own["x-consumer-timeout"] = milliseconds(held)
    yield Queue(name=names.queue(service), arguments=_LEADING_ON | own)


def hold_limit(service: str, settings: RabbitSettings) -> float | None:
    """Tell for how many seconds a service's queue lets one event be held; None if that is left to the broker."""
    return settings.hold_limit if service in LONG_WORK else None
