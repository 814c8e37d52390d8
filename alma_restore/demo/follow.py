"""Send the requests of a scenario, each when its turn has come, and follow them to their ends."""

import time
from collections.abc import Callable, Sequence
from threading import Condition
from typing import Protocol

from alma_restore.demo.scenario import Asked
from alma_restore.progress import RequestProgress
from contracts.envelope import Event
from contracts.messages.parts import RestoreRequest


class System(Protocol):
    """Something that takes requests and tells what becomes of them."""

    def submit(self, request: RestoreRequest, *, source: str) -> None:
        """Say that somebody asks for data."""

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Show every event from now on to an onlooker; returns what ends that."""


class Follower:
    """Follows the requests of a scenario.

    Parameters
    ----------
    asked
        The requests, in the order in which they are sent.
    """

    def __init__(self, asked: Sequence[Asked]) -> None:
        self.asked = asked
        self._changed = Condition()
        self._by_id = {entry.request.request_id: RequestProgress() for entry in asked}
        self._ids = {entry.title: entry.request.request_id for entry in asked}

    def of(self, title: str) -> RequestProgress:
        """Return how far a request is."""
        return self._by_id[self._ids[title]]

    def take(self, event: Event) -> None:
        """Take in an event."""
        with self._changed:
            if event.correlationid in self._by_id:
                self._by_id[event.correlationid].apply(event)
            self._changed.notify_all()

    def ask_all(self, system: System, *, timeout: float, tick: Callable[[], None] = lambda: None) -> bool:
        """Send every request and wait until all have ended.

        Parameters
        ----------
        system
            Takes the requests.
        timeout
            Seconds that all of it may take.
        tick
            Called now and then, e.g. to draw.

        Returns
        -------
        bool
            Whether all ended in time.
        """
        until = time.monotonic() + timeout
        stop = system.listen(self.take)
        waiting = list(self.asked)
        try:
            while waiting:
                for entry in [entry for entry in waiting if self._may_go(entry)]:
                    system.submit(entry.request, source="archive-request-system")
                    waiting.remove(entry)
                awaited = {entry.after for entry in waiting if entry.after is not None} or set(self._ids)
                if not self.wait_for(awaited, until=until, tick=tick):
                    return False
            return True
        finally:
            stop()

    def wait_for(self, titles: set[str], *, until: float, tick: Callable[[], None] = lambda: None) -> bool:
        """Wait until these requests have ended; False if the monotonic time ``until`` came before."""
        with self._changed:
            while not all(self.of(title).state.is_end for title in titles):
                if time.monotonic() > until:
                    return False
                tick()
                self._changed.wait(0.25)
        tick()
        return True

    def _may_go(self, entry: Asked) -> bool:
        return entry.after is None or self.of(entry.after).state.is_end
