"""A delivery of an event that records what a handler publishes on the way."""

from collections.abc import Sequence
from threading import Event as Flag

from contracts.envelope import Event


class RecordingDelivery:
    """Stands for one delivery; ``published`` holds what was said before the handler returned.

    Parameters
    ----------
    attempt
        Which delivery of the event this is, counted from 1.
    """

    def __init__(self, *, attempt: int = 1) -> None:
        self.attempt = attempt
        self.lost = Flag()
        self.published: list[Event] = []

    def publish(self, events: Sequence[Event]) -> None:
        """Record events as published."""
        self.published.extend(events)
