"""A follower gets every event, in order and none left out, on either bus."""

import pika
import pytest

from shared.bus.following import Place, Said
from tests.contract.bus_harness import Harness, Reader, started
from tests.contract.bus_rabbit import RabbitHarness
from tests.support.rabbitmq import RabbitServer

QUEUE = {"casa-runner": ("restore.ordered",)}


def test_a_follower_gets_all_events_of_all_topics_in_their_order(bus_harness: Harness) -> None:
    bus, reader = bus_harness.bus(), Reader()
    bus.declare(QUEUE)
    bus.follow(reader)
    events = [started() for _ in range(450)]
    bus.publish(events)
    reader.wait_for(events)
    assert reader.taken == [event.id for event in events]


def test_a_follower_that_fails_gets_the_same_events_again(bus_harness: Harness) -> None:
    bus, reader = bus_harness.bus(), Reader(fails=2)
    bus.declare(QUEUE)
    bus.follow(reader)
    events = [started() for _ in range(3)]
    bus.publish(events)
    reader.wait_for(events)
    assert reader.taken == [event.id for event in events]


def test_what_was_published_has_been_taken_once_the_bus_is_closed_or_lies_in_the_journal(bus_harness: Harness) -> None:
    bus, reader = bus_harness.bus(), Reader()
    bus.declare(QUEUE)
    end = bus.follow(reader)
    events = [started() for _ in range(100)]
    bus.publish(events)
    bus.drain(10)
    end()
    bus.close()
    later = bus_harness.bus()
    later.follow(reader)
    last = started()
    later.publish([last])
    reader.wait_for([*events, last])


@pytest.fixture
def rabbit(request: pytest.FixtureRequest) -> RabbitHarness:
    return RabbitHarness(request.getfixturevalue("rabbit_server").url)


@pytest.mark.parametrize("knows_the_event", [True, False], ids=["of today", "of an earlier release"])
def test_a_follower_of_the_journal_goes_on_where_it_was(rabbit: RabbitHarness, knows_the_event: bool) -> None:
    bus = rabbit.bus()
    bus.declare(QUEUE)
    before = [started() for _ in range(5)]
    bus.publish(before)
    first = Reader()
    bus.follow(first)
    first.wait_for(before)
    assert first.place == Said(before[4].encode(), offset=4).place
    third = Said(before[2].encode(), offset=2).place
    again = Reader(place=third if knows_the_event else Place(2))
    bus.follow(again)
    again.wait_for(before[3:])
    after = [started()]
    bus.publish(after)
    again.wait_for([*before[3:], *after])
    assert (again.missed, again.anew) == ([], 0)
    rabbit.close()


def test_a_journal_that_was_made_anew_is_read_from_its_beginning(rabbit: RabbitHarness) -> None:
    bus, reader = rabbit.bus(), Reader(place=Place(1000))
    bus.declare(QUEUE)
    bus.follow(reader)
    events = [started(), started()]
    bus.publish(events)
    reader.wait_for(events)
    assert (reader.anew, reader.place) == (1, Said(events[1].encode(), offset=1).place)
    rabbit.close()


def test_a_journal_that_was_made_anew_and_is_longer_than_what_was_read_is_read_from_its_beginning(
    rabbit: RabbitHarness,
) -> None:
    bus, reader = rabbit.bus(), Reader()
    bus.declare(QUEUE)
    end = bus.follow(reader)
    before, after = [started() for _ in range(3)], [started() for _ in range(7)]
    bus.publish(before)
    reader.wait_for(before)
    end()
    with pika.BlockingConnection(rabbit.settings.parameters("test")) as connection:
        connection.channel().queue_delete(rabbit.names.journal)
    bus.declare(QUEUE)
    bus.publish(after)
    bus.follow(reader)
    reader.wait_for([*before, *after])
    assert (reader.anew, reader.missed) == (1, [])
    rabbit.close()


def test_a_follower_waits_for_a_broker_that_was_killed(rabbit: RabbitHarness, rabbit_server: RabbitServer) -> None:
    bus, reader = rabbit.bus(), Reader()
    bus.declare(QUEUE)
    bus.follow(reader)
    before, after = [started()], [started()]
    bus.publish(before)
    reader.wait_for(before)
    rabbit_server.restart()
    bus.publish(after)
    reader.wait_for([*before, *after], timeout=40)
    rabbit.close()
