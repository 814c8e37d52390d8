"""A broker, or a way to it, that falls silent: connections that stay open and on which nothing comes any more."""

from time import monotonic

import pytest
from pydantic import SecretStr

from contracts.envelope import Event
from shared.bus import Subscription
from shared.bus.rabbitmq import RabbitBus
from shared.errors import DependencyAwayError
from tests.contract.bus_harness import Reader, progressed, started
from tests.support.rabbit_world import PATIENCE, PROGRESSED, STARTED, Interrupted, World
from tests.support.tcp_proxy import TcpProxy


def test_a_broker_that_falls_silent_holds_nobody_for_ever_and_work_goes_on_once_it_speaks(world: World) -> None:
    bus, interrupted, reader = world.bus(heartbeat=1, confirm_timeout=2.0), Interrupted(), Reader()
    answers = world.collect("request-desk", PROGRESSED)
    bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=interrupted))
    bus.follow(reader)
    event, said = started(), started()
    bus.publish([event])
    answers.wait_for(1)
    ((_, delivery),) = interrupted.deliveries.items
    with world.server.silent():
        began = monotonic()
        with pytest.raises(DependencyAwayError, match="did not confirm 1 of 1"):
            bus.publish([said])
        assert monotonic() < began + PATIENCE / 2
        assert delivery.lost.wait(PATIENCE)
    publish_until_confirmed(bus, said)
    wanted = {progressed(each, 100.0).id for each in (event, said)}
    heard = answers.wait_until(lambda items: wanted <= {item.id for item in items}, 2 * PATIENCE)
    assert [answer.id for answer in heard].count(progressed(event, 100.0).id) == 1
    assert [each.attempt for of, each in interrupted.deliveries.items if of == event] == [1, 2]
    last = started()
    publish_until_confirmed(bus, last)
    reader.wait_until(lambda taken: last.id in taken, PATIENCE)
    assert {event.id, said.id, *wanted} <= set(reader.taken)


def test_who_is_cut_off_in_silence_loses_the_delivery_and_somebody_else_gets_it(world: World) -> None:
    interrupted, event = Interrupted(), started()
    answers = world.collect("request-desk", PROGRESSED)
    with TcpProxy(target_port=world.server.port) as proxy:
        url = SecretStr(world.server.url.replace(str(world.server.port), str(proxy.port)))
        bus = world.bus(url=url, heartbeat=1)
        bus.subscribe(Subscription(queue="casa-runner", topics=(STARTED,), handler=interrupted))
        bus.publish([event])
        answers.wait_for(1)
        ((_, delivery),) = interrupted.deliveries.items
        with proxy.silent():
            assert world.collect("casa-runner", STARTED).wait_for(1, PATIENCE) == [event]
            assert delivery.lost.wait(PATIENCE)
        bus.close()


def publish_until_confirmed(bus: RabbitBus, event: Event) -> None:
    """Publish again and again, as a handler's answer is said again."""
    until = monotonic() + 2 * PATIENCE
    while True:
        try:
            bus.publish([event])
        except DependencyAwayError:
            assert monotonic() < until
        else:
            return
