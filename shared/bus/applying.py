"""Makes the topology in RabbitMQ, and says what differs from what it should be."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import ChannelClosedByBroker

from shared.bus.topology import Binding, Exchange, Queue, Topology

_NOT_FOUND, _DIFFERENT = 404, 406
_INEQUIVALENT = re.compile(
    r"inequivalent arg '(?P<what>[^']+)' for .*?: "
    r"received (?P<wanted>none|'[^']*'|the value '[^']*' of type '[^']*') but current is (?P<found>.*)$"
)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something in the broker that is not as it should be.

    Attributes
    ----------
    name
        The exchange's, the queue's or the binding's name.
    what
        What about it; ``missing`` if it is not there at all, ``stale`` if it is and should not be.
    found, wanted
        How it is and how it should be, as the broker spells it.
    binding
        The binding that it is about, if it is.
    """

    name: str
    what: str
    found: str = ""
    wanted: str = ""
    binding: Binding | None = None

    @property
    def is_missing(self) -> bool:
        """Whether it is not there, so that applying the topology makes it."""
        return self.what == "missing"

    @property
    def is_stale(self) -> bool:
        """Whether it is a binding that gives events to who should not get them."""
        return self.what == "stale"

    @property
    def is_removable(self) -> bool:
        """Whether it is such a binding, and can be named to the broker."""
        return self.is_stale and self.binding is not None and not self.binding.has_arguments

    @property
    def is_other(self) -> bool:
        """Whether it is there, and made otherwise."""
        return not self.is_missing and not self.is_stale

    def __str__(self) -> str:
        """Say it in a sentence."""
        if self.is_missing:
            return f"{self.name} is missing"
        if self.is_stale:
            return f"{self.name} should not be there"
        return f"{self.name}: {self.what} is {self.found}, not {self.wanted}"


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What applying a topology came to.

    Attributes
    ----------
    made
        Names of the queues that were made.
    differences
        What exists otherwise than it should; it is left as it is.
    """

    made: tuple[str, ...]
    differences: tuple[Difference, ...]


def apply(wanted: Topology, connection: BlockingConnection) -> Applied:
    """Make what is missing, leave what differs, and say both."""
    broker = _Broker(connection)
    missing = [each.name for each in wanted.queues if not broker.has_queue(each)]
    differences = [
        *(found for each in wanted.exchanges if (found := broker.declare_exchange(each))),
        *(found for each in wanted.queues if (found := broker.declare_queue(each))),
    ]
    channel = broker.channel
    for binding in wanted.bindings:
        if binding.queue is not None:
            channel.queue_bind(binding.queue, binding.exchange, binding.topic)
        if binding.to_exchange is not None:
            channel.exchange_bind(binding.to_exchange, binding.exchange, binding.topic)
    channel.close()
    return Applied(made=tuple(missing), differences=tuple(differences))


def compare(wanted: Topology, connection: BlockingConnection) -> tuple[Difference, ...]:
    """Say which exchanges and queues are missing or differ, and change nothing; AMQP tells nothing of bindings."""
    broker = _Broker(connection)
    found = [
        *(
            broker.declare_exchange(each) if broker.has_exchange(each) else Difference(name=each.name, what="missing")
            for each in wanted.exchanges
        ),
        *(
            broker.declare_queue(each) if broker.has_queue(each) else Difference(name=each.name, what="missing")
            for each in wanted.queues
        ),
    ]
    # What waits has an exchange and a queue of one name: both missing is one thing to a person.
    return tuple(dict.fromkeys(each for each in found if each is not None))


def unbind(bindings: Iterable[Binding], connection: BlockingConnection) -> None:
    """Remove bindings that were made without arguments."""
    channel = connection.channel()
    for binding in bindings:
        if binding.queue is not None:
            channel.queue_unbind(binding.queue, binding.exchange, binding.topic)
        if binding.to_exchange is not None:
            channel.exchange_unbind(binding.to_exchange, binding.exchange, binding.topic)
    channel.close()


class _Broker:
    """Asks and declares on one channel, and on a new one when the broker has closed it."""

    def __init__(self, connection: BlockingConnection) -> None:
        self._connection = connection
        self._channel: BlockingChannel | None = None

    @property
    def channel(self) -> BlockingChannel:
        """The open channel."""
        if self._channel is None or not self._channel.is_open:
            self._channel = self._connection.channel()
        return self._channel

    def has_queue(self, queue: Queue) -> bool:
        try:
            self.channel.queue_declare(queue.name, passive=True)
        except ChannelClosedByBroker as closed:
            return _is_there(closed)
        return True

    def has_exchange(self, exchange: Exchange) -> bool:
        try:
            self.channel.exchange_declare(exchange.name, exchange.kind, passive=True)
        except ChannelClosedByBroker as closed:
            return _is_there(closed)
        return True

    def declare_queue(self, queue: Queue) -> Difference | None:
        try:
            self.channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments))
        except ChannelClosedByBroker as closed:
            return _difference(queue.name, closed)
        return None

    def declare_exchange(self, exchange: Exchange) -> Difference | None:
        try:
            self.channel.exchange_declare(exchange.name, exchange.kind, durable=True, arguments=exchange.arguments)
        except ChannelClosedByBroker as closed:
            return _difference(exchange.name, closed)
        return None


def _is_there(closed: ChannelClosedByBroker) -> bool:
    if closed.reply_code != _NOT_FOUND:
        raise closed
    return False


def _difference(name: str, closed: ChannelClosedByBroker) -> Difference:
    if closed.reply_code != _DIFFERENT:
        raise closed
    told = _INEQUIVALENT.search(closed.reply_text)
    if told is None:
        return Difference(name=name, what="properties", found=closed.reply_text, wanted="as they should be")
    return Difference(name=name, what=told["what"], found=_plain(told["found"]), wanted=_plain(told["wanted"]))


def _plain(text: str) -> str:
    """Take the value out of the broker's words."""
    value = re.search(r"'([^']*)'", text)
    return (value[1] or "''") if value else text
