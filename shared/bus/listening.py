"""Shows events that pass through RabbitMQ to an onlooker, from a queue that ends with it."""

from collections.abc import Callable, Collection
from uuid import UUID

from pika import BasicProperties
from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic, Queue

from contracts.envelope import Event
from shared.bus.link import Link
from shared.bus.onlooker import Onlooker
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names
from shared.errors import DependencyAwayError


class Listening:
    """Consumes events over a connection of its own; what passes while it is lost is not shown.

    Parameters
    ----------
    listener
        Is shown each event.
    request_id
        Only this request's events; all if None.
    topics
        Only events of these topics; all if there are none.
    settings
        Where the broker is.
    prepare
        Redeclares the topology before each connection.
    """

    def __init__(
        self,
        *,
        listener: Callable[[Event], None],
        request_id: UUID | None,
        topics: Collection[str] = (),
        settings: RabbitSettings,
        prepare: Callable[[], None],
    ) -> None:
        self._names = Names(settings.prefix)
        self._keys = sorted(topics) or ["#"]
        self._onlooker = Onlooker(listener=listener, request_id=request_id)
        self._link = Link(name="onlooker", settings=settings, owner=self, prepare=prepare)
        self._link.start()
        if not self._link.wait_ready(settings.connect_timeout):
            self.close()
            raise DependencyAwayError("RabbitMQ does not let us listen: is the topology declared?")

    @property
    def is_alive(self) -> bool:
        """Whether the thread is there by which it listens, or is to end."""
        return self._link.is_alive

    def close(self) -> None:
        """End the listening."""
        self._link.close()
        self._onlooker.close()

    def on_channel(self, channel: Channel) -> None:
        """Make the queue and begin to consume."""

        def bind(made: Method[Queue.DeclareOk]) -> None:
            queue = made.method.queue
            for key in self._keys:
                channel.queue_bind(queue, self._names.events, key)
            channel.basic_consume(
                queue, self._on_message, auto_ack=True, exclusive=True, callback=lambda _ok: self._link.mark_ready()
            )

        channel.add_on_cancel_callback(lambda _frame: self._link.restart("the broker cancelled the onlooker"))
        channel.queue_declare(
            "", exclusive=True, auto_delete=True, arguments={"x-queue-type": "classic"}, callback=bind
        )

    def on_lost(self, _reason: BaseException | None) -> None:
        """Wait for the next connection."""

    def _on_message(self, _channel: Channel, _method: Basic.Deliver, _properties: BasicProperties, body: bytes) -> None:
        self._onlooker.offer(body)
