"""The envelope derives ids and traces, and refuses what it cannot read."""

import json
from uuid import UUID

import pytest

from contracts.envelope import Event, UndecodableEventError
from contracts.messages import ProductsReady, RequestAccepted, RequestSubmitted
from contracts.messages.parts import Entitlement
from tests.support.samples import BLOCK, EB, EVENT_ID, MOUS, REQUEST, REQUEST_ID, SAMPLES

SUBMITTED = Event.first(RequestSubmitted(request=REQUEST), source="/alma-restore/test", event_id=EVENT_ID)
ACCEPTED = RequestAccepted(request=REQUEST, entitlement=Entitlement.PI)


def test_saying_the_same_thing_twice_has_the_same_id() -> None:
    once, again = (SUBMITTED.derive(ACCEPTED, source="/alma-restore/a") for _ in range(2))
    assert once.id == again.id != SUBMITTED.id


def test_two_things_said_for_one_cause_have_two_ids() -> None:
    first = SUBMITTED.derive(ACCEPTED, source="/alma-restore/a", key="1")
    second = SUBMITTED.derive(ACCEPTED, source="/alma-restore/a", key="2")
    assert first.id != second.id


def test_two_who_both_find_themselves_last_say_the_same_event() -> None:
    ready = ProductsReady(request=REQUEST, blocks=(BLOCK,))
    one = SUBMITTED.derive(ACCEPTED, source="/alma-restore/a", key="1")
    other = SUBMITTED.derive(ACCEPTED, source="/alma-restore/a", key="2")
    assert one.conclude(ready, source="/alma-restore/a").id == other.conclude(ready, source="/alma-restore/b").id


def test_correlation_causation_and_trace_are_carried_on() -> None:
    answer = SUBMITTED.derive(ACCEPTED, source="/alma-restore/a")
    assert answer.correlationid == SUBMITTED.correlationid == REQUEST_ID
    assert answer.causationid == SUBMITTED.id
    assert answer.traceparent.split("-")[1] == SUBMITTED.traceparent.split("-")[1]
    assert answer.traceparent.split("-")[2] != SUBMITTED.traceparent.split("-")[2]


def test_the_subject_is_the_execution_block_or_the_mous() -> None:
    assert SUBMITTED.subject == MOUS
    subjects = {sample.topic: Event.first(sample, source="/alma-restore/t").subject for sample in SAMPLES}
    assert subjects["restore.failed"] == subjects["restore.completed"] == subjects["restore.started"] == EB


def test_a_plain_sender_needs_only_id_source_type_and_data() -> None:
    raw = {
        "specversion": "1.0",
        "id": str(EVENT_ID),
        "source": "/archive",
        "type": RequestSubmitted.type_name(),
        "data": {"request": REQUEST.model_dump(mode="json")},
    }
    event = Event.decode(json.dumps(raw).encode())
    assert event.correlationid == REQUEST_ID
    assert event.subject == MOUS
    assert event.traceparent == Event.decode(json.dumps(raw).encode()).traceparent


def test_unknown_members_are_ignored_so_that_senders_may_be_newer() -> None:
    raw = json.loads(SUBMITTED.encode())
    raw["data"]["request"]["colour"] = "red"
    raw["newattribute"] = 1
    assert Event.decode(json.dumps(raw).encode()) == SUBMITTED


def changed(path: str, value: object) -> bytes:
    raw = json.loads(SUBMITTED.encode())
    holder = raw
    *parents, last = path.split(".")
    for parent in parents:
        holder = holder[parent]
    holder[last] = value
    return json.dumps(raw).encode()


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "event"),
        (changed("type", "org.alma-restore.request.submitted.v9"), "unknown message type"),
        (changed("specversion", "0.3"), "specversion"),
        (changed("id", "not-a-uuid"), "id"),
        (changed("traceparent", "x"), "traceparent"),
        (changed("data", None), "event|data"),
        (changed("data.request.mous_uid", "X265f"), "request.mous_uid: .*not an ALMA UID"),
        (changed("data.request.user_email", "a@b\nBcc: x@y.z"), "request.user_email"),
        (changed("data.request.ticket", "1\r\nX: y"), "request.ticket"),
        (changed("data.request.selection", {"calibrator_fields": ["a b"]}), "calibrator_fields"),
    ],
)
def test_what_breaks_the_contract_is_refused_saying_where(body: bytes, complaint: str) -> None:
    with pytest.raises(UndecodableEventError, match=complaint):
        Event.decode(body)


def test_ids_are_uuids_of_version_5() -> None:
    assert UUID(str(SUBMITTED.derive(ACCEPTED, source="/alma-restore/a").id)).version == 5
