"""Shows events to an onlooker in a thread of its own, so that a slow one holds nobody up."""

from collections.abc import Callable, Collection
from queue import Full, Queue
from threading import Thread
from uuid import UUID

import structlog

from contracts.envelope import Event, UndecodableEventError

log = structlog.get_logger(__name__)
_CAPACITY = 100_000


class Onlooker:
    """Passes on the events of one request or of some topics, or all.

    Parameters
    ----------
    listener
        Is shown each event.
    request_id
        Only this request's events; all if None.
    topics
        Only events of these topics; all if there are none.
    """

    def __init__(
        self, *, listener: Callable[[Event], None], request_id: UUID | None, topics: Collection[str] = ()
    ) -> None:
        self._listener = listener
        self._request_id = request_id
        self._topics = frozenset(topics)
        self._said: Queue[Event | bytes | None] = Queue(maxsize=_CAPACITY)
        self._thread = Thread(target=self._run, name="bus-onlooker", daemon=True)
        self._thread.start()

    def offer(self, said: Event | bytes) -> None:
        """Take an event to be shown; it is left out if the listener is too far behind."""
        try:
            self._said.put_nowait(said)
        except Full:
            log.warning("onlooker_too_slow_event_left_out", capacity=_CAPACITY)

    def close(self) -> None:
        """End the thread once it has shown what it was offered."""
        self._said.put(None)

    def _run(self) -> None:
        while (said := self._said.get()) is not None:
            self._show(said)

    def _show(self, said: Event | bytes) -> None:
        try:
            event = Event.decode(said) if isinstance(said, bytes) else said
            if self._request_id in (None, event.correlationid) and (not self._topics or event.topic in self._topics):
                self._listener(event)
        except UndecodableEventError as error:
            log.warning("onlooker_cannot_read_event", reason=str(error))
        except Exception:  # an onlooker's error must not end the listening
            log.exception("onlooker_failed")
