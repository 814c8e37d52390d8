"""A connection to RabbitMQ with one channel, kept alive by a thread of its own.

Whatever goes wrong (the channel or the connection lost, a consumer cancelled),
the link tells its owner, drops the connection and makes a new one. One link has one
owner, so nobody else's deliveries go with it.
"""

from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from random import SystemRandom
from threading import Event as Flag
from threading import Lock, Thread
from typing import Protocol

import structlog
from pika import spec
from pika.adapters.select_connection import IOLoop
from pika.channel import Channel
from pika.connection import Connection
from pika.exceptions import AMQPError
from pika.frame import Method

from shared.bus.connection import TogetherConnection
from shared.bus.errors import in_words
from shared.bus.settings import RabbitSettings
from shared.errors import RestoreError

log = structlog.get_logger(__name__)
_CLOSE_TIMEOUT = 10.0


class LinkOwner(Protocol):
    """Is told what happens to its link, always in the link's thread."""

    def on_channel(self, channel: Channel) -> None:
        """Use a fresh channel."""

    def on_lost(self, reason: BaseException | None) -> None:
        """Give up what hung on the channel; a fresh one follows unless the link was closed.

        It may be called twice for one loss.
        """


class Link:
    """Holds a connection and makes it anew when it is lost.

    Parameters
    ----------
    name
        Shown to the broker's operator and in the logs.
    settings
        Where the broker is.
    owner
        Is told of channels and losses.
    prepare
        Is called in the link's thread before each connection; redeclares the topology.
    """

    def __init__(self, *, name: str, settings: RabbitSettings, owner: LinkOwner, prepare: Callable[[], None]) -> None:
        self._name = name
        self._settings = settings
        self._owner = owner
        self._prepare = prepare
        self._jobs: deque[Callable[[], None]] = deque()
        self._lock = Lock()
        self._loop: IOLoop | None = None
        self._awake = False
        self._connection: TogetherConnection | None = None
        self._failures = 0
        self._told = ""  # why there is no connection: told again only once there is another reason
        self._blocked: str | None = None
        self._closing = Flag()
        self._ready = Flag()
        self._thread = Thread(target=self._run, name=f"bus-{name}", daemon=True)

    def start(self) -> None:
        """Begin; its owner calls this once it knows its link, since it is told of a channel as soon as there is one."""
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        """Whether the link's owner has said that it works."""
        return self._ready.is_set()

    @property
    def is_alive(self) -> bool:
        """Whether the link's thread still tries, or was told to end."""
        return self._thread.is_alive() or self._closing.is_set()

    @property
    def blocked(self) -> str | None:
        """Why the broker takes no messages over this connection at the moment (an alarm), if it said so."""
        return self._blocked

    def mark_ready(self) -> None:
        """Say that the channel is set up; called by the owner."""
        self._failures, self._told = 0, ""
        self._ready.set()
        log.info("bus_connected", link=self._name)

    def wait_ready(self, timeout: float) -> bool:
        """Wait until the owner has said that the channel works."""
        return self._ready.wait(timeout)

    def call(self, job: Callable[[], None]) -> None:
        """Run a job in the link's thread, soon; after a loss once the next connection stands."""
        self._jobs.append(job)
        with self._lock:
            if self._loop is not None and not self._awake:
                self._awake = True
                self._loop.add_callback_threadsafe(self._work)

    def together(self) -> AbstractContextManager[None]:
        """Send what is published within with few system calls; use it in the link's thread."""
        return self._connection.together() if self._connection is not None else nullcontext()

    def restart(self, reason: str) -> None:
        """Drop the connection and make a new one; call it in the link's thread."""
        connection = self._connection
        if connection is not None and not (connection.is_closing or connection.is_closed):
            if not self._closing.is_set():
                log.warning("bus_link_restarts", link=self._name, reason=reason)
            connection.close()

    def close(self) -> None:
        """Close the connection in peace: what was sent before is dealt with by the broker first."""
        self._closing.set()
        self.call(lambda: self.restart("closing"))
        self._thread.join(_CLOSE_TIMEOUT)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._prepare()
                self._hold_connection()
            except (AMQPError, OSError, RestoreError) as error:
                self._note(error)
            except Exception as error:  # the thread must outlive anything, or the service would wait for ever
                # Pika asserts that a connection is not closed before it stands.
                if not (self._closing.is_set() and isinstance(error, AssertionError)):
                    log.exception("bus_link_failed", link=self._name)
            self._closing.wait(self._delay())

    def _hold_connection(self) -> None:
        loop = IOLoop()
        try:
            self._connection = TogetherConnection(
                self._settings.parameters(self._name),
                on_open_callback=self._on_open,
                on_open_error_callback=self._on_open_error,
                on_close_callback=self._on_close,
                custom_ioloop=loop,
            )
            with self._lock:
                self._loop, self._awake = loop, True
                loop.add_callback_threadsafe(self._work)
            loop.start()
        finally:
            self._forget()
            loop.close()

    def _forget(self) -> None:
        with self._lock:
            self._loop = None
        self._ready.clear()
        self._blocked = None
        self._connection = None
        self._owner.on_lost(None)

    def _work(self) -> None:
        with self._lock:
            self._awake = False
        for _ in range(len(self._jobs)):
            self._jobs.popleft()()

    def _on_open(self, connection: Connection) -> None:
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        connection.channel(on_open_callback=self._on_channel)

    def _on_blocked(self, _connection: Connection, frame: Method[spec.Connection.Blocked]) -> None:
        self._blocked = str(frame.method.reason)
        log.error("bus_takes_no_messages", link=self._name, reason=self._blocked, consequence="what is said waits")

    def _on_unblocked(self, _connection: Connection, _frame: Method[spec.Connection.Unblocked]) -> None:
        self._blocked = None
        log.info("bus_takes_messages_again", link=self._name)

    def _on_channel(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._on_channel_closed)
        self._owner.on_channel(channel)

    def _on_channel_closed(self, _channel: Channel, reason: Exception) -> None:
        self._ready.clear()
        self._owner.on_lost(reason)
        self.restart(repr(reason))

    def _on_open_error(self, _connection: Connection, error: BaseException | str) -> None:
        self._note(error)
        self._stop_loop()

    def _on_close(self, _connection: Connection, reason: BaseException) -> None:
        self._note(reason)
        self._stop_loop()

    def _stop_loop(self) -> None:
        if self._loop is not None:
            self._loop.stop()

    def _note(self, error: BaseException | str) -> None:
        """Tell why there is no connection; one that is to end is missed by nobody."""
        if self._closing.is_set():
            return
        self._failures += 1
        if (reason := in_words(error)) != self._told:
            self._told = reason
            log.warning("bus_away_reconnecting", link=self._name, failures=self._failures, reason=reason)

    def _delay(self) -> float:
        """Wait twice as long after each failure, with jitter, so that not all come back at once."""
        steps = min(max(0, self._failures - 1), 20)
        longest = min(self._settings.reconnect_delay * 2.0**steps, self._settings.reconnect_delay_max)
        return longest * SystemRandom().uniform(0.5, 1.0)
