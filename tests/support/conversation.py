"""What is said on a bus, as an onlooker hears it."""

from queue import SimpleQueue
from time import monotonic

from contracts.envelope import Event
from contracts.messages import Message
from shared.bus import Bus


class Conversation:
    """All events on a bus from now on.

    Parameters
    ----------
    bus
        Is listened to.
    """

    def __init__(self, bus: Bus) -> None:
        self._events = SimpleQueue[Event]()
        self.heard: list[Event] = []
        bus.listen(self._events.put)

    def of(self, kind: type[Message]) -> list[Event]:
        """Return what was heard of a kind, each event as often as it was said."""
        while not self._events.empty():
            self.heard.append(self._events.get())
        return [event for event in self.heard if isinstance(event.data, kind)]

    def until(self, number: int, kind: type[Message], *, timeout: float) -> list[Event]:
        """Listen until so many events of a kind were heard since the beginning."""
        end = monotonic() + timeout
        while len(found := self.of(kind)) < number:
            self.heard.append(self._events.get(timeout=max(0.01, end - monotonic())))
        return found
