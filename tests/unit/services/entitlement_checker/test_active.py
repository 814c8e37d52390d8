"""At most one active request for the same MOUS and selection, whoever asks and whenever a process dies."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from uuid import UUID, uuid4

import pytest

from contracts.identifiers import MousUid
from contracts.messages import RequestCancelled
from contracts.messages.parts import Entitlement, MailKind, ObjectRef, RestoreRequest, Selection
from services.entitlement_checker.active import ActiveRequests
from shared import keys
from shared.cancellation import cancel
from shared.ends import RequestEnd, mark_end
from shared.objects import ObjectStore
from shared.objects.directory import DirectoryStore
from tests.support.samples import MOUS, REQUEST

FIELDS = ("J0510+1800", "J0321+1234")


class Clock:
    """Tells a time that a test can move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def objects(tmp_path: Path) -> Iterator[ObjectStore]:
    store = DirectoryStore(tmp_path / "objects")
    yield store
    store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def active(objects: ObjectStore, clock: Clock) -> ActiveRequests:
    return ActiveRequests(objects=objects, longest=timedelta(days=7), clock=clock)


def a_request(*, fields: tuple[str, ...] = (), force: bool = False) -> RestoreRequest:
    changes = {"request_id": uuid4(), "selection": Selection(calibrator_fields=fields), "force": force}
    return REQUEST.model_copy(update=changes)


def end(objects: ObjectStore, request: RestoreRequest) -> None:
    told = RequestEnd(kind=MailKind.DELIVERED, mail_id=UUID(int=1), ended=datetime(2026, 1, 2, tzinfo=UTC))
    mark_end(objects, request.request_id, told)


def begins(active: ActiveRequests, request: RestoreRequest) -> bool:
    return active.begin(request, Entitlement.PI) is None


def test_a_second_request_for_the_same_data_finds_the_first_in_its_way(active: ActiveRequests, clock: Clock) -> None:
    first, second = a_request(), a_request()
    assert begins(active, first)
    holder = active.begin(second, Entitlement.PI)
    assert holder is not None
    assert (holder.request_id, holder.ticket, holder.since) == (first.request_id, first.ticket, clock.now)


def test_a_request_that_comes_twice_begins_twice(active: ActiveRequests) -> None:
    first = a_request()
    assert begins(active, first)
    assert begins(active, first)


def test_why_a_request_began_is_remembered_of_just_this_request(active: ActiveRequests) -> None:
    first = a_request()
    assert active.entitlement_of(first) is None
    active.begin(first, Entitlement.DELEGEE)
    assert active.entitlement_of(first) is Entitlement.DELEGEE
    assert active.entitlement_of(a_request()) is None
    assert active.entitlement_of(first.model_copy(update={"user_email": "somebody.else@example.org"})) is None


def test_a_record_of_an_older_release_says_who_began_and_not_why(active: ActiveRequests, objects: ObjectStore) -> None:
    first = a_request()
    since = datetime(2026, 1, 2, tzinfo=UTC).isoformat()
    holder = {"request_id": str(first.request_id), "ticket": first.ticket, "since": since}
    objects.create(keys.active(MOUS, "all"), json.dumps({"holders": [holder]}).encode())
    assert active.entitlement_of(first) is None
    assert begins(active, first)


def test_all_of_the_data_and_its_calibrators_are_different_things(active: ActiveRequests) -> None:
    assert begins(active, a_request())
    assert begins(active, a_request(fields=FIELDS))
    assert begins(active, a_request(fields=FIELDS[:1]))


PARTS = (
    Selection(calibrator_fields=FIELDS),
    Selection(science_only=True),
    Selection(spw=(17,)),
    Selection(spw=(17, 19)),
    Selection(spw=(17,), chanbin=2),
    Selection(timebin=30.0),
)


def test_every_part_of_a_selection_makes_it_another_thing(active: ActiveRequests) -> None:
    for selection in (Selection(), *PARTS):
        assert begins(active, a_request().model_copy(update={"selection": selection}))
    for selection in PARTS:
        assert not begins(active, a_request().model_copy(update={"selection": selection}))


def test_the_selection_has_no_part_that_is_not_tried_here() -> None:
    assert {name for selection in PARTS for name in selection.model_fields_set} == set(Selection.model_fields)


def test_the_order_and_repetition_of_fields_make_no_difference(active: ActiveRequests) -> None:
    assert begins(active, a_request(fields=FIELDS))
    assert not begins(active, a_request(fields=(*reversed(FIELDS), FIELDS[0])))


def test_who_ended_or_was_cancelled_is_in_nobodys_way(active: ActiveRequests, objects: ObjectStore) -> None:
    first, second, third = a_request(), a_request(), a_request()
    assert begins(active, first)
    end(objects, first)
    assert begins(active, second)
    assert not begins(active, third)
    cancel(objects, RequestCancelled(request_id=second.request_id, mous_uid=MOUS, by="vrubin"))
    assert begins(active, third)


def test_a_stuck_request_keeps_nobody_away_for_ever(active: ActiveRequests, clock: Clock) -> None:
    assert begins(active, a_request())
    clock.now += timedelta(days=7)
    assert not begins(active, a_request())
    clock.now += timedelta(seconds=1)
    assert begins(active, a_request())


def test_a_forced_request_begins_beside_the_other_and_both_are_in_the_way_of_a_third(
    active: ActiveRequests, objects: ObjectStore
) -> None:
    first, forced, third = a_request(), a_request(force=True), a_request()
    assert begins(active, first)
    assert begins(active, forced)
    assert begins(active, first), "its message came again"
    end(objects, first)
    assert not begins(active, third)
    end(objects, forced)
    assert begins(active, third)


@pytest.mark.parametrize("earlier", [False, True], ids=["nobody before", "somebody ended before"])
def test_of_many_at_one_moment_one_begins(earlier: bool, objects: ObjectStore, clock: Clock) -> None:
    if earlier:
        before = a_request()
        assert begins(ActiveRequests(objects=objects, longest=timedelta(days=7), clock=clock), before)
        end(objects, before)
    start = Barrier(8)

    def ask(_: int) -> bool:
        mine = ActiveRequests(objects=objects, longest=timedelta(days=7), clock=clock)
        start.wait()
        return begins(mine, a_request())

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(8))) == 1


class SlowWriter:
    """A store that lets others go on between a look at the record and its replacement."""

    def __init__(self, objects: ObjectStore, meanwhile: list[RestoreRequest], clock: Clock) -> None:
        self._objects = objects
        self._meanwhile = meanwhile
        self._others = ActiveRequests(objects=objects, longest=timedelta(days=7), clock=clock)

    def __getattr__(self, name: str) -> object:
        return getattr(self._objects, name)

    def replace(self, key: str, data: bytes, *, expected: ObjectRef) -> object:
        while self._meanwhile:
            request = self._meanwhile.pop(0)
            assert begins(self._others, request)
            if self._meanwhile:
                end(self._objects, request)
        return self._objects.replace(key, data, expected=expected)


def test_who_looked_long_ago_does_not_begin_behind_the_back_of_who_came_since(
    active: ActiveRequests, objects: ObjectStore, clock: Clock
) -> None:
    before = a_request()
    assert begins(active, before)
    end(objects, before)
    since = [a_request() for _ in range(3)]
    last = since[-1]
    slow = SlowWriter(objects, since, clock)
    store: ObjectStore = slow  # type: ignore[assignment]  # passes everything else on
    mine = ActiveRequests(objects=store, longest=timedelta(days=7), clock=clock)
    holder = mine.begin(a_request(), Entitlement.PI)
    assert holder is not None
    assert holder.request_id == last.request_id


class Counting:
    """A store that counts what it is asked."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> object:
        self.asked.append(name)
        return getattr(self._objects, name)


def test_where_nobody_was_before_the_store_is_asked_once(objects: ObjectStore, clock: Clock) -> None:
    counting = Counting(objects)
    store: ObjectStore = counting  # type: ignore[assignment]  # passes everything on
    assert begins(ActiveRequests(objects=store, longest=timedelta(days=7), clock=clock), a_request())
    assert counting.asked == ["create"]


def test_records_do_not_pile_up(active: ActiveRequests, objects: ObjectStore) -> None:
    for _ in range(5):
        request = a_request()
        assert begins(active, request)
        end(objects, request)
    assert len(list(objects.list("active/"))) == 1


def test_who_is_under_way_is_told_of_every_selection_of_the_mous_and_of_no_other(
    active: ActiveRequests, objects: ObjectStore, clock: Clock
) -> None:
    other = MousUid(f"{MOUS}0")
    stuck, ended = a_request(fields=FIELDS), a_request()
    assert begins(active, stuck)
    assert begins(active, a_request().model_copy(update={"mous_uid": other}))
    clock.now += timedelta(days=6)
    assert begins(active, ended)
    end(objects, ended)
    first, second = a_request(), a_request(fields=FIELDS[:1])
    assert begins(active, second)
    clock.now -= timedelta(days=1)
    assert begins(active, first)
    clock.now += timedelta(days=3)
    assert [holder.request_id for holder in active.under_way(MOUS)] == [first.request_id, second.request_id]
    assert len(active.under_way(other)) == 0
