"""What is declared in RabbitMQ for the services' queues."""

from shared.bus.retry import RetryPolicy
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Binding, Queue, topology

QUEUES = {"casa-runner": ("restore.ordered",), "request-desk": ("request.refused", "release.granted")}
WANTED = topology(
    QUEUES, settings=RabbitSettings(prefix="p"), retry=RetryPolicy(delays=(0.5, 5.0, 5.0), spread=(1.0, 1.2))
)


def queue(name: str) -> Queue:
    (found,) = (each for each in WANTED.queues if each.name == name)
    return found


def test_each_service_has_a_queue_and_its_dead_letters() -> None:
    of_runner = [each.name for each in WANTED.queues if each.name.startswith("p.casa-runner")]
    assert sorted(of_runner) == ["p.casa-runner", "p.casa-runner.dead"]


def test_there_is_a_queue_for_every_delay_that_can_be_drawn() -> None:
    waiting = {each.name: each.arguments["x-message-ttl"] for each in WANTED.queues if ".wait." in each.name}
    assert waiting == {"p.wait.500": 500, "p.wait.600": 600, "p.wait.5000": 5000, "p.wait.6000": 6000}


def test_what_waits_comes_back_by_the_key_that_it_was_published_with() -> None:
    waiting = queue("p.wait.500").arguments
    assert waiting["x-dead-letter-exchange"] == ""
    assert "x-dead-letter-routing-key" not in waiting
    assert Binding(exchange="p.wait.500", topic="", queue="p.wait.500") in WANTED.bindings


def test_nothing_is_lost_between_a_queue_and_the_one_that_it_leads_to() -> None:
    leading = [each for each in WANTED.queues if "x-dead-letter-exchange" in each.arguments]
    assert len(leading) == 6
    for each in leading:
        assert each.arguments["x-queue-type"] == "quorum"
        assert each.arguments["x-dead-letter-strategy"] == "at-least-once"
        assert each.arguments["x-overflow"] == "reject-publish"


def test_a_topic_that_a_service_takes_is_refused_when_no_queue_takes_it() -> None:
    refused = {each.topic for each in WANTED.bindings if each.queue == "p.refused"}
    assert refused == {"restore.ordered", "request.refused", "release.granted"}
    assert queue("p.refused").arguments == {
        "x-queue-type": "classic",
        "x-max-length": 0,
        "x-overflow": "reject-publish",
    }


def test_the_journal_gets_every_event() -> None:
    assert Binding(exchange="p.events", topic="#", queue="p.journal") in WANTED.bindings


def test_only_queues_of_long_work_let_an_event_be_held_for_long() -> None:
    assert queue("p.casa-runner").arguments["x-consumer-timeout"] == 14 * 24 * 3_600_000
    assert "x-consumer-timeout" not in queue("p.request-desk").arguments
