"""Declares the topology in RabbitMQ, over short connections of its own."""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

import structlog
from pika.adapters.blocking_connection import BlockingConnection
from pika.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelClosedByBroker,
    ConnectionBlockedTimeout,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from shared.bus.applying import Applied, Difference, apply, compare, unbind
from shared.bus.bindings import compare_bindings
from shared.bus.errors import in_words
from shared.bus.handling import check_topics
from shared.bus.retry import RetryPolicy
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Binding, Topology, topology
from shared.errors import DependencyAwayError, MisconfiguredError

log = structlog.get_logger(__name__)
T = TypeVar("T")
_PAUSE = 0.3
_FORBIDDEN, _NOT_FOUND = 403, 404
_ALERT = re.compile(r"ALERT_(\w*CERTIFICATE\w*|UNKNOWN_CA|HANDSHAKE_FAILURE|ACCESS_DENIED)")
"""What OpenSSL calls the words by which the other side refuses our certificate, or that there is none."""


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
        """Add queues to those that are known and make what is missing, waiting for a broker that is still starting.

        Raises
        ------
        DependencyAwayError
            If the broker does not answer within the connect timeout.
        MisconfiguredError
            If something exists with other properties, or the broker does not let us in.
        """
        self.know(queues)
        applied = patiently(self._apply, self._settings.connect_timeout)
        if applied.differences:
            raise MisconfiguredError(
                f"RabbitMQ's topology differs: {'; '.join(map(str, applied.differences))}. "
                "Empty and delete what differs, or use the settings it was made with; "
                "`alma-restore topology check` shows it all"
            )

    def know(self, queues: Mapping[str, tuple[str, ...]]) -> None:
        """Add queues to those that are known, and do nothing else."""
        for topics in queues.values():
            check_topics(topics)
        with self._lock:
            for queue, topics in queues.items():
                self._queues[queue] = tuple(dict.fromkeys((*self._queues.get(queue, ()), *topics)))

    def redeclare(self) -> None:
        """Make all known queues that are missing; one attempt. What differs is told in the log and used as it is."""
        for difference in self._apply().differences:
            log.error("bus_topology_differs", difference=str(difference), consequence="it is used as it is")

    def version(self) -> str:
        """Ask the broker for its version, waiting for one that is still starting."""

        def ask() -> str:
            with connected(self._settings, "declarer") as connection:
                return version_of(connection)

        return patiently(ask, self._settings.connect_timeout)

    def compare(self) -> tuple[Difference, ...]:
        """Say what is missing, differs or should not be there, and change nothing."""
        wanted = self.wanted()
        with connected(self._settings, "declarer") as connection:
            differences = compare(wanted, connection)
        return differences + compare_bindings(wanted, self._settings, known=differences)

    def unbind(self, bindings: Iterable[Binding]) -> None:
        """Remove bindings that should not be there."""
        with connected(self._settings, "declarer") as connection:
            unbind(bindings, connection)

    def wanted(self) -> Topology:
        """Tell what has to be there for the queues that are known."""
        with self._lock:
            return topology(dict(self._queues), settings=self._settings, retry=self._retry)

    def _apply(self) -> Applied:
        if not self._queues:
            return Applied(made=(), differences=())
        with connected(self._settings, "declarer") as connection:
            applied = apply(self.wanted(), connection)
        if applied.made:
            log.info("bus_topology_made", queues=applied.made)
            time.sleep(self._settings.settle_time)
        return applied


def version_of(connection: BlockingConnection) -> str:
    """Return the broker's version as it says it, e.g. ``3.10.8``."""
    # pika shows what the server says of itself only at the connection that this one wraps.
    properties: Mapping[str, object] = vars(connection)["_impl"].server_properties or {}
    return str(properties.get("version", "0"))


@contextmanager
def connected(settings: RabbitSettings, name: str) -> Iterator[BlockingConnection]:
    """Hold a short connection; errors are ours and show no credentials.

    Raises
    ------
    DependencyAwayError
        If the broker does not answer or is not whole yet.
    MisconfiguredError
        If it does not let us in.
    """
    parameters = settings.parameters(name)
    # pika waits for ever for a broker that reads no more, as one does that has an alarm.
    parameters.blocked_connection_timeout = settings.confirm_timeout
    with _explained(settings):
        connection = BlockingConnection(parameters)
        try:
            yield connection
        finally:
            if connection.is_open:
                connection.close()


@contextmanager
def _explained(settings: RabbitSettings) -> Iterator[None]:
    """Turn pika's errors into ours; none of them shows credentials."""
    try:
        yield
    except (AuthenticationError, ProbableAuthenticationError, ProbableAccessDeniedError) as error:
        # pika says so, too, of a connection that was only cut while it was being made.
        if isinstance(error, AuthenticationError) or ConnectionClosedByBroker.__name__ in str(error):
            raise MisconfiguredError(
                f"RabbitMQ at {settings.address()} does not let us in: {in_words(error)}; "
                "check user, password and virtual host"
            ) from error
        raise DependencyAwayError(
            f"RabbitMQ cannot be reached at {settings.address()}: the connection was cut while it was made; "
            f"if it always is, check user, password and virtual host ({error!r})"
        ) from error
    except ChannelClosedByBroker as error:
        if error.reply_code == _FORBIDDEN:
            raise MisconfiguredError(
                f"RabbitMQ refuses the topology: {error.reply_text}; give the user the right to configure"
            ) from error
        advice = "; `alma-restore topology check` says what is missing" if error.reply_code == _NOT_FOUND else ""
        raise DependencyAwayError(
            f"RabbitMQ is not whole yet: {error.reply_code} {error.reply_text}{advice}"
        ) from error
    except ConnectionBlockedTimeout as error:
        raise DependencyAwayError(
            "RabbitMQ takes no messages: it has an alarm (`rabbitmq-diagnostics alarms`); give it disk or memory"
        ) from error
    except (AMQPError, OSError) as error:
        if (alert := _ALERT.search(repr(error))) is not None:
            raise MisconfiguredError(_asks_for_certificate(settings, alert[1])) from error
        raise DependencyAwayError(f"RabbitMQ cannot be reached at {settings.address()}: {in_words(error)}") from error


def _asks_for_certificate(settings: RabbitSettings, alert: str) -> str:
    """Say what to do about a certificate of ours that is missing or is not accepted."""
    ours = f"does not accept {settings.client_certificate}" if settings.client_certificate else "asks for a certificate"
    return (
        f"RabbitMQ {ours} ({alert.lower()}): set ALMA_RESTORE_BUS__CLIENT_CERTIFICATE and "
        "ALMA_RESTORE_BUS__CLIENT_KEY to one of an authority that it trusts (ssl_options.cacertfile)"
    )


def patiently(attempt: Callable[[], T], timeout: float) -> T:
    """Try again while the broker is away, for so many seconds at most."""
    until = time.monotonic() + timeout
    told = ""
    while True:
        try:
            return attempt()
        except DependencyAwayError as error:
            if time.monotonic() > until:
                raise
            if str(error) != told:
                told = str(error)
                log.warning("waiting_for_bus", reason=told)
            time.sleep(_PAUSE)
