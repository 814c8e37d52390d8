"""Requests over the JSON API: asked for, looked at, cancelled; and never another one's."""

from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from contracts.messages import RequestAccepted, RequestCancelled, RequestRefused, RequestSubmitted
from contracts.messages.parts import Entitlement
from contracts.reasons import ReasonCode
from services.request_desk.web.settings import WebSettings
from shared import keys
from tests.support.desk_site import ARCHIVE, JAN, MOUS, OPERATOR, VERA, DeskSite
from tests.support.oidc_provider import Person

ASKED = {"project_code": "2017.1.00886.L", "mous_uids": [MOUS]}
OTHER = "uid://A001/X12a3/X80e"


def test_a_user_submits_and_sees_the_request_at_once(desk: DeskSite) -> None:
    vera = desk.program()
    answer = vera.post("/api/v1/requests", json={**ASKED, "ticket": "16140"}, origin=None)
    assert answer.status == 202
    (submitted,) = answer.json()["requests"]
    shown = vera.get(f"/api/v1/requests/{submitted['request_id']}").json()
    assert (shown["state"], shown["mous"], shown["ticket"], shown["owner"]) == (
        "submitted",
        MOUS,
        "16140",
        "Vera Rubin",
    )
    (said,) = [event.data for event in desk.bus_said(RequestSubmitted)]
    assert isinstance(said, RequestSubmitted)
    assert (said.request.user_account, said.request.user_email) == ("vrubin", "vera@example.org")


def test_each_of_several_mous_has_a_status_of_its_own(desk: DeskSite) -> None:
    answer = desk.program().post(
        "/api/v1/requests",
        json={**ASKED, "mous_uids": [MOUS, "nonsense", OTHER.replace("://", "___").replace("/", "_")]},
    )
    found = {each["mous"]: each["code"] for each in answer.json()["requests"]}
    assert list(found.values()) == ["submitted", "invalid_mous_uid", "submitted"]


def test_more_than_ten_are_refused_whole(desk: DeskSite) -> None:
    many = [f"uid://A001/X1/X{number:x}" for number in range(11)]
    answer = desk.program().post("/api/v1/requests", json={**ASKED, "mous_uids": many})
    assert (answer.status, desk.bus_said(RequestSubmitted)) == (422, [])
    assert "up to 10" in answer.json()["detail"]


def test_the_same_key_is_the_same_submission(desk: DeskSite) -> None:
    vera, headers = desk.program(), {"Idempotency-Key": "my first"}
    first = vera.post("/api/v1/requests", json=ASKED, headers=headers).json()
    assert vera.post("/api/v1/requests", json=ASKED, headers=headers).json() == first
    jan = desk.program(JAN).post("/api/v1/requests", json=ASKED, headers=headers).json()
    assert jan["requests"][0]["request_id"] != first["requests"][0]["request_id"]
    assert len(desk.bus_said(RequestSubmitted)) == 2


def test_a_user_asks_in_no_other_name_and_the_archive_in_everybodys(desk: DeskSite) -> None:
    other = {**ASKED, "user": {"name": "Vera Rubin", "email": "vera@example.org", "account": "vrubin"}}
    with capture_logs() as logs:
        assert desk.program(JAN).post("/api/v1/requests", json=other).status == 403
    assert "other_user" in [entry.get("reason") for entry in logs]
    archive = desk.program(ARCHIVE)
    assert archive.post("/api/v1/requests", json=ASKED).status == 403
    request_id = archive.post("/api/v1/requests", json=other).json()["requests"][0]["request_id"]
    assert desk.program(VERA).get(f"/api/v1/requests/{request_id}").status == 200
    assert archive.get(f"/api/v1/requests/{request_id}").status == 200
    assert archive.get("/api/v1/operations/counts").status == 403


def test_without_a_verified_address_nobody_can_ask(desk: DeskSite) -> None:
    nobody = Person("noaddress", "N. N.", "vera@example.org", email_verified=False)
    answer = desk.program(nobody).post("/api/v1/requests", json=ASKED)
    assert (answer.status, "verified" in answer.json()["detail"]) == (403, True)
    desk.request(VERA)
    assert desk.program(nobody).get("/api/v1/requests").json()["total"] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/timeline"),
        ("GET", "/events"),
        ("GET", "/delivery"),
        ("POST", "/cancel"),
        ("POST", "/renew"),
    ],
)
def test_another_ones_request_is_as_if_it_were_not_there_and_the_look_is_logged(
    method: str, path: str, desk: DeskSite
) -> None:
    request = desk.request(VERA)
    jan = desk.program(JAN)
    with capture_logs() as logs:
        foreign = jan.call(method, f"/api/v1/requests/{request.request_id}{path}")
    unknown = jan.call(method, f"/api/v1/requests/{uuid4()}{path}")
    assert (foreign.status, unknown.status) == (404, 404)
    assert foreign.json() == unknown.json()
    assert "foreign_request" in [entry.get("reason") for entry in logs if entry["event"] == "call_refused"]
    record = desk.ledger.request(request.request_id)
    assert record is not None
    assert record.is_active


def test_a_list_has_ones_own_requests_and_for_operators_all(desk: DeskSite) -> None:
    mine, others = desk.request(VERA), desk.request(JAN)
    listed = desk.program(VERA).get("/api/v1/requests?owner=joort").json()
    assert [UUID(each["id"]) for each in listed["requests"]] == [mine.request_id]
    operator = desk.program(OPERATOR)
    assert operator.get("/api/v1/requests").json()["total"] == 2
    found = operator.get("/api/v1/requests?owner=joort").json()["requests"]
    assert [UUID(each["id"]) for each in found] == [others.request_id]


def test_a_long_list_is_read_page_by_page(desk: DeskSite) -> None:
    asked = {desk.request(VERA).request_id for _ in range(5)}
    vera, seen, cursor = desk.program(VERA), [], ""
    while True:
        page = vera.get(f"/api/v1/requests?size=2{cursor}").json()
        seen += [UUID(each["id"]) for each in page["requests"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={quote(page['next_cursor'])}"
    assert (len(seen), set(seen)) == (5, asked)
    assert vera.get("/api/v1/requests?cursor=nonsense").status == 422


def test_why_a_request_was_refused_is_said_in_words_for_its_user(desk: DeskSite) -> None:
    request = desk.request(VERA)
    desk.say(RequestRefused(request=request, reason=ReasonCode.NOT_ENTITLED, detail="proprietary until 2030"))
    shown = desk.program(VERA).get(f"/api/v1/requests/{request.request_id}").json()
    assert (shown["state"], shown["reason"], shown["is_over"]) == ("refused", "not_entitled", True)
    assert "wait until the data becomes public" in shown["text"]


def test_cancelling_is_marked_said_and_shown(desk: DeskSite) -> None:
    request = desk.request(VERA)
    vera = desk.program(VERA)
    answer = vera.post(f"/api/v1/requests/{request.request_id}/cancel", json={"reason": "wrong MOUS"})
    assert (answer.status, answer.json()["state"]) == (200, "cancelled")
    assert desk.objects.info(keys.cancelled(request.request_id)) is not None
    (said,) = [event.data for event in desk.bus_said(RequestCancelled)]
    assert isinstance(said, RequestCancelled)
    assert (said.by, said.reason) == ("vrubin", "wrong MOUS")
    assert vera.post(f"/api/v1/requests/{request.request_id}/cancel").status == 409


def test_the_timeline_says_what_was_said_and_keeps_the_house_to_itself(desk: DeskSite) -> None:
    request = desk.request(VERA)
    desk.say(RequestAccepted(request=request, entitlement=Entitlement.PI))
    moments = desk.program(VERA).get(f"/api/v1/requests/{request.request_id}/timeline").json()
    assert [moment["topic"] for moment in moments] == ["request.submitted", "request.accepted"]
    assert "data" not in moments[0]
    whole = desk.program(OPERATOR).get(f"/api/v1/operations/requests/{request.request_id}/timeline").json()
    assert "vera@example.org" in whole[0]["data"]


def test_a_user_may_have_so_many_requests_under_way_and_no_more(desk: DeskSite) -> None:
    assert WebSettings().active_per_user == 50
    many = {**ASKED, "mous_uids": [f"uid://A001/X2/X{number:x}" for number in range(10)]}
    vera = desk.program(VERA)
    for _ in range(5):
        answer = vera.post("/api/v1/requests", json=many)
        assert {each["code"] for each in answer.json()["requests"]} == {"submitted"}
    with capture_logs() as logs:
        answer = vera.post("/api/v1/requests", json=ASKED)
    assert (answer.status, answer.json()["code"]) == (429, "too_many")
    assert "too_many_active" in [entry.get("reason") for entry in logs]
    assert desk.program(JAN).post("/api/v1/requests", json=ASKED).status == 202
