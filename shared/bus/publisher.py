"""Publishes to RabbitMQ in a window of confirmations, and again what was not confirmed."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Condition
from threading import Event as Flag
from time import monotonic

import structlog
from pika import BasicProperties
from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker
from pika.frame import Method
from pika.spec import Basic

from shared.bus.errors import DeliveryLostError, UnroutableError
from shared.bus.link import Link
from shared.bus.settings import RabbitSettings
from shared.errors import DependencyAwayError

log = structlog.get_logger(__name__)
_NOT_FOUND = 404
_LOOK = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message on its way to the broker."""

    exchange: str
    routing_key: str
    body: bytes
    properties: BasicProperties


@dataclass(eq=False, slots=True)
class _Batch:
    """What one caller waits for."""

    unconfirmed: int
    refused: list[str] = field(default_factory=list)
    given_up: bool = False
    ended: Condition = field(default_factory=Condition)

    def settle(self, *, refused: str | None) -> None:
        with self.ended:
            self.unconfirmed -= 1
            if refused is not None:
                self.refused.append(refused)
            if self.unconfirmed <= 0:
                self.ended.notify_all()

    def wait(self, timeout: float, lost: Flag) -> bool:
        """Wait until all is confirmed; give up in the end, or once the flag is set."""
        until = monotonic() + timeout
        with self.ended:
            while self.unconfirmed > 0 and not lost.is_set() and (left := until - monotonic()) > 0:
                self.ended.wait(min(left, _LOOK))
            self.given_up = self.unconfirmed > 0
            return not self.given_up


_Pending = tuple[Outgoing, _Batch]


class Publisher:
    """Publishes from any thread; a thread waits until its own batch is confirmed.

    Parameters
    ----------
    settings
        Where the broker is, the window, how long to wait.
    prepare
        Redeclares the topology before each connection.
    """

    def __init__(self, *, settings: RabbitSettings, prepare: Callable[[], None]) -> None:
        self._settings = settings
        self._outbox: deque[_Pending] = deque()
        self._channel: Channel | None = None
        # From here on touched by the link's thread alone.
        self._unconfirmed: dict[int, _Pending] = {}
        self._oldest = 1
        self._next = 1
        self._returned: set[int] = set()
        self._link = Link(name="publisher", settings=settings, owner=self, prepare=prepare)
        self._link.start()

    @property
    def is_ready(self) -> bool:
        """Whether the broker takes messages."""
        return self._link.is_ready

    @property
    def is_alive(self) -> bool:
        """Whether the thread is there by which it publishes, or is to end."""
        return self._link.is_alive

    def publish(self, messages: Sequence[Outgoing], *, lost: Flag | None = None) -> None:
        """Publish in order and wait for all confirmations.

        Parameters
        ----------
        lost
            Once it is set nobody wants to hear it any more.

        Raises
        ------
        DeliveryLostError
            If that is set before they came.
        DependencyAwayError
            If they did not come in time.
        UnroutableError
            If no queue takes one of the messages.
        """
        if not messages:
            return
        lost = lost or Flag()
        batch = _Batch(unconfirmed=len(messages))
        if not lost.is_set():
            self._outbox.extend([(message, batch) for message in messages])
            self._link.call(self._pump)
        if not batch.wait(self._settings.confirm_timeout, lost):
            if lost.is_set():
                raise DeliveryLostError("the broker took the delivery back: whoever gets it next says it")
            raise DependencyAwayError(
                f"RabbitMQ did not confirm {batch.unconfirmed} of {len(messages)} messages within "
                f"{self._settings.confirm_timeout:g} s: {self._why()}"
            )
        if batch.refused:
            raise UnroutableError(
                f"no queue takes {', '.join(sorted(set(batch.refused)))}: declare the topology; "
                "or a queue is full by a policy of the broker"
            )

    def _why(self) -> str:
        if self._link.blocked is not None:
            return f"it takes no messages ({self._link.blocked}); give it disk or memory, or take messages out"
        return "see whether the broker is up and its queues have a leader"

    def close(self) -> None:
        """End the connection."""
        self._link.close()

    def on_channel(self, channel: Channel) -> None:
        """Turn confirmations on, and publish what is left from before."""
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=lambda _ok: self._begin(channel))

    def on_lost(self, reason: BaseException | None) -> None:
        """Take back what was not confirmed: it is published again, in its order, before anything else."""
        self._channel = None
        again = [pending for _, pending in sorted(self._unconfirmed.items())]
        self._unconfirmed.clear()
        self._returned.clear()
        if isinstance(reason, ChannelClosedByBroker) and reason.reply_code == _NOT_FOUND:
            again = [pending for pending in again if not _refuse_without_exchange(pending)]
        self._outbox.extendleft(reversed(again))
        if again:
            log.warning("unconfirmed_messages_published_again", number=len(again))

    def _begin(self, channel: Channel) -> None:
        self._channel = channel
        self._oldest = self._next = 1
        self._link.mark_ready()
        self._pump()

    def _pump(self) -> None:
        channel = self._channel
        if channel is None or not channel.is_open:
            return
        if not self._outbox or len(self._unconfirmed) >= self._settings.window:
            return
        with self._link.together():
            while self._outbox and len(self._unconfirmed) < self._settings.window:
                message, batch = pending = self._outbox.popleft()
                if batch.given_up:
                    continue
                self._unconfirmed[self._next] = pending
                self._next += 1
                channel.basic_publish(
                    message.exchange, message.routing_key, message.body, message.properties, mandatory=True
                )

    def _on_return(self, _channel: Channel, method: Basic.Return, properties: BasicProperties, _body: bytes) -> None:
        """Remember what found no queue; its confirmation follows."""
        for tag, (message, _) in self._unconfirmed.items():
            if (message.properties.message_id, message.routing_key) == (properties.message_id, method.routing_key):
                self._returned.add(tag)

    def _on_confirm(self, frame: Method[Basic.Ack | Basic.Nack]) -> None:
        tag = frame.method.delivery_tag
        for each in range(self._oldest, tag + 1) if frame.method.multiple else (tag,):
            self._settle(each, refused=isinstance(frame.method, Basic.Nack))
        while self._oldest < self._next and self._oldest not in self._unconfirmed:
            self._oldest += 1
        self._pump()

    def _settle(self, tag: int, *, refused: bool) -> None:
        if (pending := self._unconfirmed.pop(tag, None)) is None:
            return
        message, batch = pending
        refused = refused or tag in self._returned
        self._returned.discard(tag)
        batch.settle(refused=message.routing_key if refused else None)


def _refuse_without_exchange(pending: _Pending) -> bool:
    """Refuse a message whose exchange does not exist; the default exchange always does."""
    message, batch = pending
    if message.exchange:
        batch.settle(refused=message.routing_key)
    return bool(message.exchange)
