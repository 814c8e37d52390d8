"""Finds queues of ours in RabbitMQ that this release does not have: what lies in them, nobody may ever take."""

from dataclasses import dataclass

from shared.bus.declaring import connected
from shared.bus.depths import look
from shared.bus.management import queues_in
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names, Topology


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A queue with our prefix that is not wanted any more.

    Attributes
    ----------
    name
        The queue's name in the broker.
    messages
        What lies in it and is not being handled.
    consumers
        Who takes from it still.
    """

    name: str
    messages: int
    consumers: int


def leftovers(wanted: Topology, settings: RabbitSettings) -> tuple[Leftover, ...]:
    """List the queues with our prefix that are not wanted; none if there is nobody to ask.

    Raises
    ------
    DependencyAwayError
        If the broker or its management plugin does not answer.
    MisconfiguredError
        If one of them does not let us in.
    """
    if settings.management_url is None:
        return ()
    names, known = Names(settings.prefix), {each.name for each in wanted.queues}
    others = sorted(name for name in queues_in(settings) if names.is_ours(name) and name not in known)
    # How much lies in them AMQP tells at once, the plugin only after some seconds.
    with connected(settings, "leftovers") as connection:
        found = [(name, look(connection, name)) for name in others]
    return tuple(Leftover(name=name, messages=lies[0], consumers=lies[1]) for name, lies in found if lies is not None)
