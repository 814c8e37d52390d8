"""Looks into the dead letters of queues in RabbitMQ, gives them back and removes them."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from pika import BasicProperties
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import NackError, UnroutableError

from shared.bus import wire
from shared.bus.base import DeadEvent, key_of
from shared.bus.declaring import connected, patiently
from shared.bus.publisher import Outgoing
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names
from shared.errors import DependencyAwayError


@dataclass(frozen=True)
class _Letter:
    """A dead letter that is held unacknowledged; the broker takes it back, in its order, when the channel goes."""

    tag: int
    properties: BasicProperties
    body: bytes


class Graveyard:
    """The dead letters of all queues, over short connections.

    Parameters
    ----------
    settings
        Where the broker is.
    """

    def __init__(self, *, settings: RabbitSettings) -> None:
        self._settings = settings
        self._names = Names(settings.prefix)

    def list(self, queue: str) -> tuple[DeadEvent, ...]:
        """List a queue's dead letters, oldest first, and leave them there."""

        def browse() -> tuple[DeadEvent, ...]:
            with connected(self._settings, "dead letters") as connection:
                letters = _letters(connection.channel(), self._names.dead(queue))
                return tuple(wire.dead_event(queue, each.body, each.properties) for each in letters)

        return patiently(browse, self._settings.connect_timeout)

    def replay(self, queue: str, keys: Collection[str]) -> int:
        """Publish dead letters to their queue again; each is removed after that was confirmed.

        Raises
        ------
        DependencyAwayError
            If the broker does not take one; it stays a dead letter.
        """

        def publish(channel: BlockingChannel, letter: _Letter) -> None:
            message = wire.replayed(letter.body, letter.properties, queue=queue, names=self._names)
            _publish(channel, message)

        return self._remove(queue, keys, before=publish)

    def drop(self, queue: str, keys: Collection[str]) -> int:
        """Remove dead letters."""
        return self._remove(queue, keys, before=lambda _channel, _letter: None)

    def _remove(self, queue: str, keys: Collection[str], *, before: Callable[[BlockingChannel, _Letter], None]) -> int:
        with connected(self._settings, "dead letters") as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            removed = 0
            for letter in _letters(channel, self._names.dead(queue)):
                if key_of(letter.body, letter.properties.message_id) in keys:
                    before(channel, letter)
                    channel.basic_ack(letter.tag)
                    removed += 1
            channel.close()
            return removed


def _letters(channel: BlockingChannel, queue: str) -> Iterator[_Letter]:
    """Take every letter out; none that came after this began."""
    count = channel.queue_declare(queue, passive=True).method.message_count
    for _ in range(count):
        method, properties, body = channel.basic_get(queue)
        if method is None:
            return
        yield _Letter(method.delivery_tag or 0, properties or BasicProperties(), body or b"")


def _publish(channel: BlockingChannel, message: Outgoing) -> None:
    try:
        channel.basic_publish(message.exchange, message.routing_key, message.body, message.properties, mandatory=True)
    except (UnroutableError, NackError) as error:
        raise DependencyAwayError(f"queue {message.routing_key} does not take the message; is it declared?") from error
