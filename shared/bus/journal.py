"""Reads the journal of all events in RabbitMQ, which is a stream."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from threading import Event as Flag
from threading import Thread
from time import monotonic

import structlog
from pika import BasicProperties
from pika.adapters.blocking_connection import BlockingConnection
from pika.exceptions import AMQPError

from shared.bus.declaring import connected
from shared.bus.following import Follower, Place, Said
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names
from shared.errors import DependencyAwayError, RestoreError

log = structlog.get_logger(__name__)
BATCH = 2000
"""Events at most that are taken in one go by who is behind: what a follower does once for each request, whatever
number of its events came, must not decide how many it takes in a second. Who keeps up has what waits, however few."""
_LOOK = 0.2
_PAUSE = 1.0
_QUIET = 0.5
_EMPTY = 3.0
_PROOF = 5.0
"""Seconds in which the broker gives the last event that was taken once more, if it has it."""


class JournalFollowing:
    """Follows the journal in RabbitMQ over a connection of its own.

    Parameters
    ----------
    follower
        Takes the events.
    settings
        Where the broker is.
    """

    def __init__(self, *, follower: Follower, settings: RabbitSettings) -> None:
        self._follower = follower
        self._settings = settings
        self._stopping = Flag()
        self._thread = Thread(target=self._run, name="bus-following", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread is there by which it follows, or is to end."""
        return self._thread.is_alive() or self._stopping.is_set()

    def close(self) -> None:
        """End the thread and the connection."""
        self._stopping.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except RestoreError as error:
                log.warning("journal_cannot_be_followed_now", reason=str(error), consequence="it is tried again")
            except Exception:  # whatever a follower raises, it gets the same events again
                log.exception("follower_failed", consequence="the same events are given to it again")
            self._stopping.wait(_PAUSE)

    def _follow(self) -> None:
        after = self._follower.position()
        with closing(read_journal(self._settings, self._follower, after=after, until=self._stopping.is_set)) as batches:
            for batch in batches:
                self._follower.take(batch)


def read_journal(
    settings: RabbitSettings, follower: Follower, *, after: Place | None, until: Callable[[], bool] = lambda: False
) -> Generator[Sequence[Said], None, None]:
    """Read the journal in batches, and wait for more; each is done with when the next one is asked for.

    Parameters
    ----------
    settings
        Where the broker is.
    follower
        Hears what is missing.
    after
        The place that it has reached; None to begin at the first event that the journal keeps.
    until
        Whether to stop; asked at least every 0.2 s.

    Raises
    ------
    DependencyAwayError
        If the broker does not answer, or the journal is not declared yet.
    """
    again = True
    while again:
        again = False
        with _reading(settings) as connection:
            for batch in _batches(connection, Names(settings.prefix).journal, after, until=until):
                if not batch or (after is not None and any(said.contradicts(after) for said in batch)):
                    log.error("journal_was_made_anew", consequence="it is read from its beginning")
                    follower.begin_anew()
                    after, again = None, True
                    break
                new = [said for said in batch if after is None or said.offset is None or said.offset > after.offset]
                if new:
                    _tell_missing(new, after, follower)
                    after = new[-1].place
                    yield new


def end_of_journal(settings: RabbitSettings) -> int | None:
    """Return the place of the last event in the journal; None if it holds none.

    Where events go on to come it is one of the last second.

    Raises
    ------
    DependencyAwayError
        If the broker does not answer or does not give the last event, or the journal is not declared yet.
    """
    journal, last = Names(settings.prefix).journal, None
    with _reading(settings) as connection:
        channel = connection.channel()
        # The count of a stream lags seconds behind: one that says 0 may hold events nevertheless.
        counted = channel.queue_declare(journal, passive=True).method.message_count
        until = monotonic() + (settings.connect_timeout if counted else _EMPTY)
        channel.basic_qos(prefetch_count=2 * BATCH)
        for method, properties, _ in channel.consume(
            journal, arguments={"x-stream-offset": "last"}, inactivity_timeout=_QUIET
        ):
            if method is None or properties is None:
                if last is not None:
                    return last
                if monotonic() > until and not counted:
                    return None
                if monotonic() > until:
                    raise DependencyAwayError(f"RabbitMQ does not give the last event of {journal}; try again")
                continue
            if last is None:
                until = monotonic() + 2 * _QUIET
            last = _offset(properties)
            channel.basic_ack(method.delivery_tag or 0)
            if monotonic() > until:  # it may never be quiet
                return last
    return last


@contextmanager
def _reading(settings: RabbitSettings) -> Iterator[BlockingConnection]:
    """Hold a connection that reads the journal, and end it whatever the broker says to its end."""
    with connected(settings, "journal") as connection:
        try:
            yield connection
        finally:
            # What came and was not taken pika rejects, which no stream understands: the broker ends the connection.
            with suppress(AMQPError):
                connection.close()


def _batches(
    connection: BlockingConnection,
    journal: str,
    after: Place | None,
    *,
    until: Callable[[], bool],
) -> Iterator[list[Said]]:
    """Consume the journal, the last one taken included; a batch ends where nothing more has come yet.

    The last one has to come again, and be the same, if this is the journal in which it was: the broker
    gives nothing, and no error, for places that a shorter journal does not have yet. An
    empty batch says that nothing came.
    """
    channel = connection.channel()
    channel.basic_qos(prefetch_count=2 * BATCH)
    batch: list[Said] = []
    proof_until = None if after is None else monotonic() + _PROOF
    arguments = {"x-stream-offset": "first" if after is None else after.offset}
    for method, properties, body in channel.consume(journal, arguments=arguments, inactivity_timeout=_LOOK):
        if until():
            return
        if method is None or properties is None or body is None:
            if proof_until is not None and monotonic() > proof_until:
                yield []
            continue
        proof_until = None
        batch.append(Said(body=body, offset=_offset(properties)))
        if len(batch) >= BATCH or channel.get_waiting_message_count() == 0:
            yield batch
            channel.basic_ack(method.delivery_tag or 0, multiple=True)
            batch = []


def _offset(properties: BasicProperties) -> int:
    """Read the place that the broker names."""
    offset = (properties.headers or {}).get("x-stream-offset")
    assert isinstance(offset, int), "every message of a stream says its place"
    return offset


def _tell_missing(batch: Sequence[Said], after: Place | None, follower: Follower) -> None:
    expected, found = 0 if after is None else after.offset + 1, batch[0].offset
    if found is not None and found > expected:
        log.warning("journal_lacks_events", first=expected, last=found - 1)
        follower.miss(expected, found - 1)
