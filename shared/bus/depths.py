"""Counts what lies in the queues of RabbitMQ and who takes from them, by AMQP alone."""

from collections.abc import Collection

from pika.adapters.blocking_connection import BlockingConnection
from pika.exceptions import ChannelClosedByBroker

from shared.bus.base import QueueDepth
from shared.bus.declaring import connected
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names

_NOT_FOUND, _LOCKED = 404, 405


def count(queues: Collection[str], *, settings: RabbitSettings) -> tuple[QueueDepth, ...]:
    """Count what lies in services' queues; one that does not exist is left out.

    Raises
    ------
    DependencyAwayError
        If the broker does not answer.
    """
    names = Names(settings.prefix)
    with connected(settings, "queue depths") as connection:
        found = []
        for queue in queues:
            lies, taken = look(connection, names.queue(queue)), look(connection, names.dead(queue))
            if lies is not None:
                dead = taken[0] if taken else 0
                found.append(QueueDepth(queue=queue, ready=lies[0], replicas=lies[1], dead=dead))
        return tuple(found)


def look(connection: BlockingConnection, name: str) -> tuple[int, int] | None:
    """Return messages and consumers of a queue; None if there is none for us: the broker closes the channel then."""
    channel = connection.channel()
    try:
        method = channel.queue_declare(name, passive=True).method
    except ChannelClosedByBroker as error:
        if error.reply_code not in (_NOT_FOUND, _LOCKED):
            raise
        return None
    channel.close()
    return method.message_count, method.consumer_count
