"""Asks on behalf of users, hears of the mails that went out, and says things twice."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from threading import Condition
from time import monotonic
from uuid import UUID

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import MailSent, RequestSubmitted
from shared.bus import Delivery, RetryPolicy, Subscription
from shared.bus.rabbitmq import RabbitBus
from shared.errors import RestoreError
from shared.service import source_of
from tests.chaos.plan import Plan
from tests.chaos.site import DESK

_SOURCE = source_of(DESK)
_SEEN = 2_000


class Desk:
    """The only user of the system.

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
        self._asked = [Event.first(RequestSubmitted(request=each.request), source=_SOURCE) for _, each in plan.asked]
        self._seen: list[Event] = []
        self._changed = Condition()
        self.mails = Counter[UUID]()

    def open(self) -> None:
        """Begin to hear."""
        self._bus.subscribe(Subscription(queue=DESK, topics=QUEUES[DESK], handler=self._handle, concurrency=4))
        self._bus.listen(self._see)

    def ask(self, number: int) -> None:
        """Send a request, until the bus has confirmed it."""
        self._say([self._asked[number]])

    def repeat(self) -> None:
        """Say again some of what was said, word for word, as a sender does who was not confirmed."""
        with self._changed:
            chosen = self._random.sample(self._seen, min(5, len(self._seen)))
        self._say(chosen)

    def wait_for_mails(self, requests: Sequence[UUID], *, timeout: float) -> bool:
        """Wait until a mail went out for each of the requests."""
        until = monotonic() + timeout
        with self._changed:
            return self._changed.wait_for(lambda: all(each in self.mails for each in requests), until - monotonic())

    def _say(self, events: Sequence[Event]) -> None:
        while True:
            try:
                return self._bus.publish(events)
            except RestoreError as error:
                if not error.transient:
                    raise

    def _see(self, event: Event) -> None:
        with self._changed:
            self._seen = [*self._seen[-_SEEN:], event]

    def _handle(self, event: Event, _delivery: Delivery) -> Sequence[Event]:
        if isinstance(event.data, MailSent):
            with self._changed:
                self.mails[event.data.request_id] += 1
                self._changed.notify_all()
        return ()


def open_desk(bus: RabbitBus, plan: Plan) -> Desk:
    """Open the desk."""
    desk = Desk(bus=bus, plan=plan)
    desk.open()
    return desk


QUICK = RetryPolicy(delays=(0.5, 1.0, 2.0))
"""As the deployment's, since each delay is a queue."""
