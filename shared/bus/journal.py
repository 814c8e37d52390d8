"""Reads the journal of all events in RabbitMQ, which is a stream."""

from collections.abc import Callable, Iterator, Sequence
from threading import Event as Flag
from threading import Thread

import structlog
from pika import BasicProperties
from pika.adapters.blocking_connection import BlockingConnection

from shared.bus.declaring import connected
from shared.bus.following import Follower, Said
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names
from shared.errors import RestoreError

log = structlog.get_logger(__name__)
_BATCH = 200
_LOOK = 0.2
_PAUSE = 1.0


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

    def close(self) -> None:
        """End the thread and the connection."""
        self._stopping.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                for batch in read_journal(self._settings, self._follower, until=self._stopping.is_set):
                    self._follower.take(batch)
            except RestoreError as error:
                log.warning("journal_cannot_be_followed_now", reason=str(error), consequence="it is tried again")
            except Exception:  # whatever a follower raises, it gets the same events again
                log.exception("follower_failed", consequence="the same events are given to it again")
            self._stopping.wait(_PAUSE)


def read_journal(
    settings: RabbitSettings, follower: Follower, *, until: Callable[[], bool], at_end: Callable[[], None] | None = None
) -> Iterator[Sequence[Said]]:
    """Read the journal from where a follower is on, in batches; each is done with when the next one is asked for.

    Parameters
    ----------
    settings
        Where the broker is.
    follower
        Says where it is, and hears what is missing.
    until
        Whether to stop; asked at least every 0.2 s.
    at_end
        Called whenever nothing more has come for that long.

    Raises
    ------
    DependencyAwayError
        If the broker does not answer, or the journal is not declared yet.
    """
    after, again = follower.position(), True
    while again:
        again = False
        with connected(settings, "journal") as connection:
            for batch in _batches(connection, Names(settings.prefix).journal, after, until=until, at_end=at_end):
                if after is not None and _is_of_another(batch, after):
                    log.error("journal_was_made_anew", consequence="it is read from its beginning")
                    follower.begin_anew()
                    after, again = None, True
                    break
                _tell_missing(batch, after, follower)
                after = batch[-1].offset
                yield batch


def _batches(
    connection: BlockingConnection,
    journal: str,
    after: int | None,
    *,
    until: Callable[[], bool],
    at_end: Callable[[], None] | None,
) -> Iterator[list[Said]]:
    """Consume the journal; a batch ends where nothing more has come yet."""
    channel = connection.channel()
    channel.basic_qos(prefetch_count=2 * _BATCH)
    batch: list[Said] = []
    where: int | str = "first" if after is None else after + 1
    for method, properties, body in channel.consume(
        journal, arguments={"x-stream-offset": where}, inactivity_timeout=_LOOK
    ):
        if until():
            return
        if method is None or properties is None or body is None:
            if at_end is not None:
                at_end()
            continue
        batch.append(Said(body=body, offset=_offset(properties)))
        if len(batch) >= _BATCH or channel.get_waiting_message_count() == 0:
            yield batch
            channel.basic_ack(method.delivery_tag or 0, multiple=True)
            batch = []


def _offset(properties: BasicProperties) -> int:
    """Read the place that the broker names."""
    offset = (properties.headers or {}).get("x-stream-offset")
    assert isinstance(offset, int), "every message of a stream says its place"
    return offset


def _is_of_another(batch: Sequence[Said], after: int) -> bool:
    """Whether the places are those of another journal: it was deleted, and begins at 0 again."""
    return batch[0].offset is not None and batch[0].offset <= after


def _tell_missing(batch: Sequence[Said], after: int | None, follower: Follower) -> None:
    expected, found = 0 if after is None else after + 1, batch[0].offset
    if found is not None and found > expected:
        log.warning("journal_lacks_events", first=expected, last=found - 1)
        follower.miss(expected, found - 1)
