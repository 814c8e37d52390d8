"""Asks on behalf of users, hears of the mails that went out, and says things twice."""

from collections.abc import Sequence
from random import Random
from threading import Condition
from time import monotonic
from uuid import UUID

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import MailSent, TicketSubmitted
from shared.bus import RetryPolicy
from shared.bus.following import Place, Said
from shared.bus.rabbitmq import RabbitBus
from shared.errors import RestoreError
from tests.chaos.plan import Plan

_SOURCE = "/chaos/helpdesk"
_SEEN = 2_000


class Asker:
    """The only user of the system, who has a ticket for each request; follows the journal.

    Parameters
    ----------
    bus
        A bus of its own.
    plan
        What is asked.
    """

    def __init__(self, *, bus: RabbitBus, plan: Plan) -> None:
        self._bus = bus
        self._random = Random(plan.seed)
        self._asked = [Event.first(TicketSubmitted(request=each.ticket), source=_SOURCE) for each in plan.asks]
        self._seen: list[Event] = []
        self._place: Place | None = None
        self._changed = Condition()
        self.told: set[UUID] = set()

    def ask(self, number: int) -> None:
        """Send a ticket, until the bus has confirmed it."""
        self._say([self._asked[number]])

    def repeat(self) -> int:
        """Say again some of what was said, word for word, as a sender does who was not confirmed; tell how much.

        Some of it is what mails were sent about: of all that is said these are few.
        """
        with self._changed:
            mailed = [event for event in self._seen if event.topic in QUEUES["notifier"]]
            chosen = [*self._some(self._seen, 5), *self._some(mailed, 2)]
        self._say(chosen)
        return len(chosen)

    def wait_for_mails(self, requests: Sequence[UUID], *, timeout: float) -> bool:
        """Wait until a mail went out for each of the requests."""
        until = monotonic() + timeout
        with self._changed:
            return self._changed.wait_for(lambda: self.told.issuperset(requests), until - monotonic())

    def position(self) -> Place | None:
        """Return the place of the last event that was heard."""
        return self._place

    def take(self, said: Sequence[Said]) -> None:
        """Hear events."""
        events = [Event.decode(each.body) for each in said]
        with self._changed:
            self._seen = [*self._seen, *events][-_SEEN:]
            self.told.update(event.data.request_id for event in events if isinstance(event.data, MailSent))
            self._place = said[-1].place
            self._changed.notify_all()

    def begin_anew(self) -> None:
        """Never: the journal outlives the broker."""
        raise AssertionError("the journal was made anew")

    def miss(self, first: int, last: int) -> None:
        """Never: the journal keeps more than is said here."""
        raise AssertionError(f"the journal lost what lay between {first} and {last}")

    def _some(self, events: Sequence[Event], number: int) -> Sequence[Event]:
        return self._random.sample(events, min(number, len(events)))

    def _say(self, events: Sequence[Event]) -> None:
        while True:
            try:
                return self._bus.publish(events)
            except RestoreError as error:
                if not error.transient:
                    raise


def open_asker(bus: RabbitBus, plan: Plan) -> Asker:
    """Let somebody ask who hears all that is said."""
    asker = Asker(bus=bus, plan=plan)
    bus.follow(asker)
    return asker


QUICK = RetryPolicy(delays=(0.5, 1.0, 2.0))
"""As the deployment's, since each delay is a queue."""
