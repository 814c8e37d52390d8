from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

import pytest

from contracts.envelope import Event
from contracts.identifiers import MousUid
from contracts.messages import MousRestorable
from shared.errors import DependencyAwayError
from shared.not_restorable import NotRestorableYet, RefusedYet, Told, ToldBy, tell
from shared.objects import DirectorySettings, ObjectStore, open_store
from tests.support.samples import REQUEST, WHEN

OTHER = MousUid("uid://A001/X1/X2")


@pytest.fixture
def objects(tmp_path: Path) -> Iterator[ObjectStore]:
    store = open_store(DirectorySettings(root=tmp_path))
    yield store
    store.close()


def refused(number: int, mous: MousUid = REQUEST.mous_uid, detail: str = "no tables") -> RefusedYet:
    request = REQUEST.model_copy(update={"request_id": UUID(int=number), "mous_uid": mous})
    return RefusedYet(request=request, detail=detail, since=WHEN)


def test_requests_are_found_by_their_mous_until_their_users_are_told(objects: ObjectStore) -> None:
    waiting = NotRestorableYet(objects=objects)
    first, second, other = refused(1), refused(2), refused(3, OTHER)
    for each in (first, second, other):
        waiting.remember(each)
    assert waiting.of(REQUEST.mous_uid) == [first, second]
    assert waiting.all() == [other, first, second] or waiting.all() == [first, second, other]
    waiting.record_told(first, by=ToldBy.PERSON, when=WHEN)
    assert waiting.of(REQUEST.mous_uid) == [second]
    assert waiting.told(first.request) == Told(refused=first, told=WHEN, by=ToldBy.PERSON)
    assert waiting.told(second.request) is None


def test_a_request_that_is_delivered_twice_is_remembered_once(objects: ObjectStore) -> None:
    waiting = NotRestorableYet(objects=objects)
    waiting.remember(refused(1))
    waiting.remember(refused(1, detail="said again"))
    assert [each.detail for each in waiting.all()] == ["no tables"]


def test_a_request_that_comes_once_more_after_its_user_was_told_is_not_remembered(objects: ObjectStore) -> None:
    waiting = NotRestorableYet(objects=objects)
    waiting.remember(refused(1))
    waiting.record_told(refused(1), by=ToldBy.EVENT, when=WHEN)
    waiting.remember(refused(1))
    assert waiting.all() == []


def test_each_user_is_told_once(objects: ObjectStore) -> None:
    waiting, said = NotRestorableYet(objects=objects), list[Event]()
    for number in (1, 2):
        waiting.remember(refused(number))
    for _ in range(2):
        tell(waiting, waiting.all(), publish=said.extend, clock=lambda: WHEN)
    assert [event.data for event in said] == [
        MousRestorable(request=refused(number).request, since=WHEN) for number in (1, 2)
    ]
    assert [event.correlationid for event in said] == [UUID(int=1), UUID(int=2)]


def test_who_is_killed_before_recording_that_it_was_said_says_the_same_event_again(objects: ObjectStore) -> None:
    waiting, said = NotRestorableYet(objects=objects), list[Event]()
    waiting.remember(refused(1))

    def publish_and_die(events: Sequence[Event]) -> None:
        said.extend(events)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tell(waiting, waiting.all(), publish=publish_and_die, clock=lambda: WHEN)
    tell(waiting, waiting.all(), publish=said.extend, clock=lambda: WHEN)
    assert len(said) == 2
    assert said[0].id == said[1].id


def test_while_the_bus_is_away_nobody_counts_as_told(objects: ObjectStore) -> None:
    waiting = NotRestorableYet(objects=objects)
    waiting.remember(refused(1))

    def away(_: Sequence[Event]) -> None:
        raise DependencyAwayError("RabbitMQ did not confirm")

    with pytest.raises(DependencyAwayError):
        tell(waiting, waiting.all(), publish=away, clock=lambda: WHEN)
    assert waiting.all() == [refused(1)]
