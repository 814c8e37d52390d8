"""Cancelled requests: a mark in the store that lasts, and word over the bus to whoever is at work.

Who cancels writes the mark first (`cancel`) and says ``request.cancelled`` afterwards.
Every process of the services that work long listens, since any of them may be at work; a queue would
tell only one. A process that did not hear it finds the mark: before it begins, and
between the steps of its work. Nothing is said about a cancelled request any more.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from uuid import UUID

from contracts.envelope import Event
from contracts.messages import RequestCancelled
from shared import keys
from shared.objects import ObjectExistsError, ObjectStore


def cancel(objects: ObjectStore, message: RequestCancelled) -> None:
    """Mark a request as cancelled; the first who does it stands. Publish the message afterwards."""
    try:
        objects.create(keys.cancelled(message.request_id), message.model_dump_json(exclude_none=True).encode())
    except ObjectExistsError:
        return


class Cancellations:
    """What a process knows of cancelled requests.

    Give `hear` to `Bus.listen` (the runtime does so for a service that has a method ``hear``).

    Parameters
    ----------
    objects
        The store that holds the marks.
    """

    def __init__(self, *, objects: ObjectStore) -> None:
        self._objects = objects
        self._lock = Lock()
        self._watchers: dict[UUID, list[Callable[[], None]]] = {}

    def hear(self, event: Event) -> None:
        """Stop the work for a request if this event cancels it."""
        if not isinstance(event.data, RequestCancelled):
            return
        with self._lock:
            watchers = tuple(self._watchers.get(event.data.request_id, ()))
        for stop in watchers:
            stop()

    def is_marked(self, request_id: UUID) -> bool:
        """Whether the store holds the mark of this request."""
        return self._objects.info(keys.cancelled(request_id)) is not None

    @contextmanager
    def watching(self, request_id: UUID, stop: Callable[[], None]) -> Iterator[None]:
        """Call ``stop`` (from any thread, perhaps twice) when the request is cancelled, or was before.

        Raises
        ------
        DependencyAwayError
            If the store cannot say whether it was.
        """
        with self._lock:
            self._watchers.setdefault(request_id, []).append(stop)
        try:
            if self.is_marked(request_id):
                stop()
            yield
        finally:
            with self._lock:
                self._watchers[request_id].remove(stop)
                if not self._watchers[request_id]:
                    del self._watchers[request_id]
