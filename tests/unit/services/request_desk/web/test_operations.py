"""What operators see and do; nobody else does."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from contracts.envelope import Event
from contracts.messages import RequestResent, RequestSubmitted
from services.request_desk.ledger.states import Step
from shared import keys
from shared.bus import Delivery, Subscription
from tests.support.desk_site import ARCHIVE, OPERATOR, VERA, DeskSite, deliver, with_deliveries
from tests.support.samples import STRUCTURE

READS = ("counts", "queues", "dead-letters", "stuck", "illegal-moves", "unreadable", "casa", "events")


@pytest.mark.parametrize("what", READS)
def test_only_operators_are_shown_what_happens_in_the_house(what: str, desk: DeskSite) -> None:
    for person in (VERA, ARCHIVE):
        with capture_logs() as logs:
            assert desk.program(person).get(f"/api/v1/operations/{what}").status == 403
        assert "needs_operator" in [entry.get("reason") for entry in logs]
    assert desk.visitor().get(f"/api/v1/operations/{what}").status == 401
    if what != "events":
        assert desk.program(OPERATOR).get(f"/api/v1/operations/{what}").status == 200


def test_counts_queues_and_catalogue_are_shown(desk: DeskSite) -> None:
    desk.request(VERA)
    operator = desk.program(OPERATOR)
    assert operator.get("/api/v1/operations/counts").json()["requests"]["submitted"] == 1
    queues = {each["queue"]: each for each in operator.get("/api/v1/operations/queues").json()}
    assert queues["casa-runner"] == {"queue": "casa-runner", "ready": 0, "replicas": 0, "dead": 0}
    (release,) = operator.get("/api/v1/operations/casa").json()
    assert (release["casa"], release["image"]) == ("5.1.1-5", "casa-5.1.1")


def buried(desk: DeskSite) -> Event:
    """Let the entitlement checker give up an event."""

    def broken(event: Event, delivery: Delivery) -> list[Event]:
        raise ValueError("a bug of the service")

    desk.bus.subscribe(
        Subscription(queue="entitlement-checker", topics=("request.submitted", "products.ready"), handler=broken)
    )
    desk.program(VERA).post(
        "/api/v1/requests", json={"project_code": "2017.1.00886.L", "mous_uids": ["uid://A001/X1/X2"]}
    )
    while not desk.bus.dead_letters("entitlement-checker"):
        pass
    return desk.bus_said(RequestSubmitted)[0]


def test_a_dead_letter_is_shown_whole_and_sent_on_again(desk: DeskSite) -> None:
    event, operator = buried(desk), desk.program(OPERATOR)
    (letter,) = operator.get("/api/v1/operations/dead-letters?queue=entitlement-checker").json()
    assert (letter["key"], letter["topic"]) == (str(event.id), "request.submitted")
    path = f"/api/v1/operations/dead-letters/entitlement-checker/{event.id}"
    whole = operator.get(path).json()
    assert "a bug of the service" in whole["reason"]
    assert "vera@example.org" in whole["payload"]
    assert desk.program(VERA).post(f"{path}/replay").status == 403
    assert operator.post(f"{path}/replay").status == 204


def test_a_dead_letter_is_dropped_with_a_note_that_is_kept(desk: DeskSite) -> None:
    event, operator = buried(desk), desk.program(OPERATOR)
    path = f"/api/v1/operations/dead-letters/entitlement-checker/{event.id}/drop"
    assert operator.post(path, json={"note": "  "}).status == 422
    assert operator.post(path, json={"note": "asked for by mistake"}).status == 204
    kept = desk.objects.get(keys.dropped(str(event.id))).decode()
    assert ("asked for by mistake" in kept, '"by": "op"' in kept) == (True, True)
    assert operator.post(path, json={"note": "again"}).status == 404


def test_a_stuck_request_is_shown_and_sent_on_again_by_a_person(desk: DeskSite) -> None:
    request, operator = desk.request(VERA), desk.program(OPERATOR)
    path = f"/api/v1/operations/requests/{request.request_id}/try-now"
    assert desk.program(VERA).post(path).status == 403
    desk.ledger._limits = dict.fromkeys(Step, -1.0)
    (stuck,) = operator.get("/api/v1/operations/stuck").json()
    assert stuck["request"]["id"] == str(request.request_id)
    assert operator.post(path, json={"reason": "the database is back"}).json() == {"events": 1}
    (again,) = desk.bus_said(RequestSubmitted)
    assert str(again.id) == stuck["unfinished"][0]
    (said,) = [each.data for each in desk.bus_said(RequestResent)]
    assert isinstance(said, RequestResent)
    assert (said.by, said.events) == ("op", (again.id,))


def test_logs_of_every_attempt_are_listed_and_shown_the_end_of_a_long_one(
    desk: DeskSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, operator, block = desk.request(VERA), desk.program(OPERATOR), STRUCTURE.execution_blocks[0]
    for name, text in (("a1.log", b"SEVERE\n"), ("a2.log", b"x" * 300 + b"the end"), ("a3.log", b"")):
        desk.objects.put_bytes(keys.log(request.request_id, block, name), text)
    path = f"/api/v1/operations/requests/{request.request_id}/logs"
    listed = operator.get(path).json()
    assert [(each["eb_uid"], each["name"], each["size"]) for each in listed] == [
        (block, "a1.log", 7), (block, "a2.log", 307), (block, "a3.log", 0),
    ]  # fmt: skip
    shown = {each["name"]: operator.get(f"{path}/{each['block']}/{each['name']}") for each in listed}
    assert (shown["a1.log"].data, shown["a3.log"].data) == (b"SEVERE\n", b"")
    assert shown["a1.log"].headers["Content-Type"] == "text/plain; charset=utf-8"
    monkeypatch.setattr("services.request_desk.web.logs.LONGEST_LOG", 10)
    assert operator.get(f"{path}/{block.file_form}/a2.log").data == b"[the last 10 of 307 bytes]\nxxxthe end"
    for guess in ("nothing/a1.log", f"{block.file_form}/a9.log", f"{block.file_form}/..%2f..%2fa1.log"):
        assert operator.get(f"{path}/{guess}").status == 404
    for forbidden in (path, f"{path}/{block.file_form}/a1.log"):
        assert desk.program(VERA).get(forbidden).status == 403


def test_a_delivery_is_kept_for_good_and_no_longer(tmp_path: Path) -> None:
    with DeskSite(tmp_path, deliveries=with_deliveries) as site:
        request, operator = site.request(VERA), site.program(OPERATOR)
        path = f"/api/v1/operations/requests/{request.request_id}/keep"
        assert operator.post(path, json={"kept": True}).status == 404
        deliver(site, request, days=-0.5)
        assert site.program(VERA).post(path, json={"kept": True}).status == 403
        assert operator.post(path, json={"kept": True}).json()["phase"] == "open"
        assert operator.post(path, json={"kept": False}).json()["phase"] == "expired"


def test_a_request_is_sent_on_again_before_it_is_stuck_but_not_when_nothing_is_to_be_done(desk: DeskSite) -> None:
    request, operator = desk.request(VERA), desk.program(OPERATOR)
    path = f"/api/v1/operations/requests/{request.request_id}/try-now"
    assert operator.get("/api/v1/operations/stuck").json() == []
    assert operator.post(path, json={"reason": "the database is back"}).json() == {"events": 1}
    deliver(desk, request)
    answer = operator.post(path)
    assert (answer.status, "delivered" in answer.json()["detail"]) == (409, True)
