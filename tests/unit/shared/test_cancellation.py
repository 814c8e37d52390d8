"""A cancelled request is known to who hears it and to who looks later."""

from pathlib import Path
from threading import Event as Flag
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import RequestCancelled
from shared import keys
from shared.bus import RetryPolicy
from shared.bus.memory import MemoryBus
from shared.cancellation import Cancellations, cancel
from shared.metrics import ServiceMetrics
from shared.objects.directory import DirectoryStore
from shared.runtime import Runtime
from tests.support.samples import MOUS, REQUEST_ID

WORD = RequestCancelled(request_id=REQUEST_ID, mous_uid=MOUS, by="vrubin", reason="not needed")
EVENT = Event.first(WORD, source="/test")


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path)


def test_the_first_mark_of_a_request_stands(store: DirectoryStore) -> None:
    cancel(store, WORD)
    cancel(store, WORD.model_copy(update={"by": "another"}))
    assert RequestCancelled.model_validate_json(store.get(keys.cancelled(REQUEST_ID))) == WORD


def test_who_begins_later_is_stopped_by_the_mark(store: DirectoryStore) -> None:
    cancel(store, WORD)
    stopped = Flag()
    with Cancellations(objects=store).watching(REQUEST_ID, stopped.set):
        assert stopped.is_set()


def test_who_is_at_work_is_stopped_by_the_word_and_others_are_not(store: DirectoryStore) -> None:
    cancellations, stopped, other, ended = Cancellations(objects=store), Flag(), Flag(), Flag()
    with cancellations.watching(REQUEST_ID, ended.set):
        pass
    with cancellations.watching(REQUEST_ID, stopped.set), cancellations.watching(uuid4(), other.set):
        assert not stopped.is_set()
        cancellations.hear(EVENT)
        assert stopped.is_set()
    assert not other.is_set()
    assert not ended.is_set()


def test_the_runtime_lets_a_service_hear_what_no_queue_takes(store: DirectoryStore) -> None:
    stopped = Flag()
    cancellations = Cancellations(objects=store)

    class Worker:
        name = "casa-runner"

        def subscriptions(self) -> tuple[()]:
            return ()

        def hear(self, event: Event) -> None:
            cancellations.hear(event)

        def is_ready(self) -> bool:
            return True

        def close(self) -> None:
            pass

    bus = MemoryBus(retry=RetryPolicy(delays=(0.01,)))
    bus.declare(QUEUES)
    try:
        Runtime(bus=bus, metrics=ServiceMetrics(CollectorRegistry())).add(Worker())
        with cancellations.watching(REQUEST_ID, stopped.set):
            bus.publish([EVENT])
            assert stopped.wait(5)
    finally:
        bus.close()
