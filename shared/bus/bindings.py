"""Compares the bindings in RabbitMQ with what they should be."""

from collections.abc import Collection, Iterator

from shared.bus.applying import Difference
from shared.bus.management import bindings_in
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Binding, Names, Topology


def compare_bindings(
    wanted: Topology, settings: RabbitSettings, *, known: Collection[Difference]
) -> tuple[Difference, ...]:
    """Say which bindings are missing or should not be there; nothing if there is nobody to ask.

    Parameters
    ----------
    wanted
        What should be there.
    settings
        Where the management plugin is, if it may be asked.
    known
        What is known already of exchanges and queues: a binding to one that is missing is not told of beside it.

    Raises
    ------
    DependencyAwayError
        If the management plugin does not answer.
    MisconfiguredError
        If it does not let us in, or is none.
    """
    if settings.management_url is None:
        return ()
    found = bindings_in(settings)
    absent = {each.name for each in known if each.is_missing}
    return tuple(differing(wanted, found, absent=absent, names=Names(settings.prefix)))


def differing(
    wanted: Topology, found: Collection[Binding], *, absent: Collection[str], names: Names
) -> Iterator[Difference]:
    """Tell the bindings that only one side has, missing ones first.

    Others than ours may look on: a queue of theirs at the exchange of all events is no difference.
    At any other exchange of ours it counts as the service that takes an event, so none would be missed.
    """
    for binding in wanted.bindings:
        if binding not in found and not {binding.exchange, binding.destination} & set(absent):
            yield Difference(name=str(binding), what="missing", binding=binding)
    routing = {each.name for each in wanted.exchanges} - {names.events}
    taking = {each.name for each in wanted.exchanges} | {each.name for each in wanted.queues}
    for binding in sorted(set(found) - set(wanted.bindings), key=str):
        if binding.exchange in routing or binding.destination in taking:
            yield Difference(name=str(binding), what="stale", found="bound", wanted="not bound", binding=binding)
