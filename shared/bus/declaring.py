"""Declares the topology in RabbitMQ and looks into its queues, over short connections of its own."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from threading import Lock
from typing import TypeVar

import pika
import structlog
from pika.adapters.blocking_connection import BlockingConnection
from pika.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from shared.bus import wire
from shared.bus.base import DeadEvent
from shared.bus.handling import check_topics
from shared.bus.retry import RetryPolicy
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names, apply, topology
from shared.errors import DependencyAwayError, MisconfiguredError

log = structlog.get_logger(__name__)
T = TypeVar("T")
_PAUSE = 0.3
_FORBIDDEN, _DIFFERENT = 403, 406


class Declarer:
    """Knows which queues there are to be, and makes them.

    Parameters
    ----------
    settings
        Where the broker is.
    retry
        Its delays are the wait queues.
    """

    def __init__(self, *, settings: RabbitSettings, retry: RetryPolicy) -> None:
        self._settings = settings
        self._retry = retry
        self._lock = Lock()
        self._queues: dict[str, tuple[str, ...]] = {}

    def declare(self, queues: Mapping[str, tuple[str, ...]]) -> None:
        """Make queues, waiting for a broker that is still starting.

        Raises
        ------
        DependencyAwayError
            If the broker does not answer within the connect timeout.
        MisconfiguredError
            If something exists with other properties, or the broker does not let us in.
        """
        for topics in queues.values():
            check_topics(topics)
        with self._lock:
            for queue, topics in queues.items():
                self._queues[queue] = tuple(dict.fromkeys((*self._queues.get(queue, ()), *topics)))
        _patiently(self.redeclare, self._settings.connect_timeout)

    def redeclare(self) -> None:
        """Make all known queues that are missing; one attempt."""
        with self._lock:
            queues = dict(self._queues)
        if not queues:
            return
        wanted = topology(queues, settings=self._settings, retry=self._retry)
        with self._connection() as connection:
            made = apply(wanted, connection)
        if made:
            log.info("bus_topology_made", queues=sorted(queues), prefix=self._settings.prefix)
            time.sleep(self._settings.settle_time)

    def dead_letters(self, queue: str) -> tuple[DeadEvent, ...]:
        """List a queue's dead letters and leave them there."""
        return _patiently(lambda: self._browse(queue), self._settings.connect_timeout)

    def _browse(self, queue: str) -> tuple[DeadEvent, ...]:
        name = Names(self._settings.prefix).dead(queue)
        with self._connection() as connection:
            channel = connection.channel()
            # Nothing is acknowledged, so the broker takes all back, in order, when the channel goes.
            got = takewhile(lambda each: each[0] is not None, (channel.basic_get(name) for _ in iter(int, 1)))
            return tuple(
                wire.dead_event(queue, body or b"", properties or pika.BasicProperties()) for _, properties, body in got
            )

    @contextmanager
    def _connection(self) -> Iterator[BlockingConnection]:
        with _explained():
            connection = BlockingConnection(self._settings.parameters("declarer"))
            try:
                yield connection
            finally:
                if connection.is_open:
                    connection.close()


@contextmanager
def _explained() -> Iterator[None]:
    """Turn pika's errors into ours; none of them shows credentials."""
    try:
        yield
    except (AuthenticationError, ProbableAuthenticationError, ProbableAccessDeniedError) as error:
        raise MisconfiguredError(
            "RabbitMQ does not let us in: check user, password and virtual host of the bus's URL"
        ) from error
    except ChannelClosedByBroker as error:
        if error.reply_code in (_FORBIDDEN, _DIFFERENT):
            raise MisconfiguredError(
                f"RabbitMQ refuses the topology: {error.reply_text}; "
                "give the user the right to configure, or empty and delete what differs"
            ) from error
        raise DependencyAwayError(f"RabbitMQ is not whole yet: {error.reply_code} {error.reply_text}") from error
    except (AMQPError, OSError) as error:
        raise DependencyAwayError(f"RabbitMQ cannot be reached: {error!r}") from error


def _patiently(attempt: Callable[[], T], timeout: float) -> T:
    until = time.monotonic() + timeout
    while True:
        try:
            return attempt()
        except DependencyAwayError as error:
            if time.monotonic() > until:
                raise
            log.warning("waiting_for_bus", reason=str(error))
            time.sleep(_PAUSE)
