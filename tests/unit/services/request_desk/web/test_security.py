"""What must be refused is refused, and each refusal is logged."""

import socket
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from opentelemetry.trace import SpanKind
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from observatory.metadata_demo import IN_QA3, PI
from shared import deliveries
from shared.entitlement.records import ArchiveRecords
from tests.support.archive_tables import ArchiveTables
from tests.support.desk_site import JAN, OPERATOR, TAR, VERA, DeskSite, deliver, with_deliveries
from tests.support.oidc_provider import Person
from tests.support.spans import kept_spans

ANA = Person(PI.account_id, "Ana Pereira", PI.email)


def reasons(logs: Sequence[Mapping[str, Any]]) -> list[object]:
    return [entry.get("reason") for entry in logs if entry["event"] == "call_refused"]


def wait_until_answered(logs: Sequence[Mapping[str, Any]], *, calls: int) -> None:
    """Wait for the entries of calls: each is logged when its answer has been sent, which the caller may have before."""
    deadline = time.monotonic() + 20
    while len([entry for entry in logs if entry["event"] == "call_answered"]) < calls:
        assert time.monotonic() < deadline, f"not all of {calls} calls are logged: {logs}"
        time.sleep(0.01)


def raw(desk: DeskSite, *lines: str, body: bytes = b"") -> bytes:
    """Send bytes as they are, which no proper client would."""
    parts = urlsplit(desk.base_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall("\r\n".join((*lines, "", "")).encode() + body)
        answer = b""
        while data := connection.recv(65536):
            answer += data
    return answer


def test_a_guessed_address_of_a_delivery_is_as_if_there_were_nothing(desk: DeskSite) -> None:
    made = deliver(desk, desk.request(VERA))
    visitor = desk.visitor()
    assert visitor.get(f"/deliveries/{made.token}/{TAR}").status == 200
    with capture_logs() as logs:
        guesses = [uuid4().hex, made.token[:-1], f"{made.token}0", made.token.upper().replace("0", "O"), "x", "%00"]
        answers = [visitor.get(f"/deliveries/{guess}/{TAR}") for guess in guesses]
    assert {answer.status for answer in answers} == {404}
    assert reasons(logs).count("delivery_unknown") == len(guesses)


def test_the_address_of_a_delivery_stands_whole_in_no_log(desk: DeskSite, capfd: pytest.CaptureFixture[str]) -> None:
    made = deliver(desk, desk.request(VERA))
    with capture_logs(processors=[merge_contextvars]) as logs:
        for path in ("", "/", f"/{TAR}", "/nothing"):
            desk.visitor().get(f"/deliveries/{made.token}{path}")
        raw(desk, f"POST /deliveries/{made.token}/{TAR} HTTP/1.1", "Host: desk", "Content-Length: 10000000000")
        wait_until_answered(logs, calls=5)
    assert reasons(logs)[-1] == "body_too_long"
    assert {f"/deliveries/{made.token[:6]}…"} == {str(entry["path"])[:19] for entry in logs if "path" in entry}
    assert made.token not in str(logs) + "".join(capfd.readouterr())


def test_what_opens_something_stands_in_no_trace(desk: DeskSite) -> None:
    made = deliver(desk, desk.request(VERA))
    with kept_spans() as spans, capture_logs() as logs:
        desk.visitor().get(f"/deliveries/{made.token}/{TAR}")
        desk.visitor().get("/sign-in?key=the-secret-key")
        wait_until_answered(logs, calls=2)
    calls = [span for span in spans.all() if span.kind is SpanKind.SERVER]
    assert [span.name for span in calls] == ["GET /deliveries/{token}/{name}", "GET /sign-in"]
    written = "".join(span.to_json() for span in calls)
    assert made.token not in written
    assert "the-secret-key" not in written


@pytest.mark.parametrize(
    "path",
    [
        "/deliveries/{token}/../../../etc/passwd",
        "/deliveries/{token}/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/deliveries/{token}/..%5c..%5cetc",
        "/deliveries/{token}//etc/passwd",
        "/deliveries/{token}/" + TAR + "%00.txt",
        "/deliveries/{token}/manifest.json",
        "/deliveries/{token}/state.json",
        "/deliveries/{token}/texts%2fREADME.txt",
        "/deliveries/../deliveries/{token}/manifest.json",
        "/uws/../api/v1/operations/counts",
    ],
)
def test_a_path_with_tricks_leads_nowhere(path: str, desk: DeskSite) -> None:
    made = deliver(desk, desk.request(VERA))
    assert desk.objects.info(deliveries.manifest(made.token)) is not None
    with capture_logs() as logs:
        answer = raw(desk, f"GET {path.format(token=made.token)} HTTP/1.1", "Host: desk", "Connection: close")
    assert answer.split()[1] in (b"404", b"400", b"401"), answer
    assert reasons(logs)


def test_an_expired_delivery_is_gone(desk: DeskSite) -> None:
    made = deliver(desk, desk.request(VERA), days=-0.5)
    with capture_logs() as logs:
        answer = desk.visitor().get(f"/deliveries/{made.token}/{TAR}")
    assert (answer.status, reasons(logs)) == (410, ["delivery_expired"])


def test_what_may_not_be_handed_out_any_more_is_withheld_with_its_reason(tmp_path: Path, tables: ArchiveTables) -> None:
    records = ArchiveRecords(database=tables.open())
    with DeskSite(tmp_path / "desk", deliveries=partial(with_deliveries, records=records)) as desk:
        request = desk.request(ANA, mous_uid=IN_QA3.uid, project_code=IN_QA3.project.code)
        made = deliver(desk, request)
        with capture_logs() as logs:
            answer = desk.visitor().get(f"/deliveries/{made.token}/{TAR}")
        assert (answer.status, answer.json()["reason"]) == (403, "qa3_in_progress")
        assert reasons(logs) == ["qa3_in_progress"]
    records.close()


def test_the_delivery_of_another_one_cannot_be_renewed_or_seen(desk: DeskSite) -> None:
    request = desk.request(VERA)
    made = deliver(desk, request, days=3)
    with capture_logs() as logs:
        assert desk.program(JAN).post(f"/api/v1/requests/{request.request_id}/renew").status == 404
        assert desk.program(JAN).get(f"/api/v1/requests/{request.request_id}/delivery").status == 404
    assert reasons(logs) == ["foreign_request", "foreign_request"]
    assert desk.deliveries is not None
    assert desk.deliveries.find(made.token).renewals == 0


@pytest.mark.parametrize(
    "values",
    [
        {"ticket": "16140\r\nBcc: everybody@example.org"},
        {"ticket": "16140\x00"},
        {"cc": ["a@example.org\r\nBcc: b@example.org"]},
        {"contact_email": "a@example.org\nX-Injected: yes"},
        {"selection": {"calibrator_fields": ["J0510\r\n+1800"]}},
        {"project_code": "2017.1.00886.L\r\n"},
    ],
)
def test_what_would_break_a_mails_header_is_refused(values: dict[str, object], desk: DeskSite) -> None:
    asked = {"project_code": "2017.1.00886.L", "mous_uids": ["uid://A001/X1/X2"], **values}
    with capture_logs() as logs:
        answer = desk.program(VERA).post("/api/v1/requests", json=asked)
    if answer.status == 202:
        (request,) = answer.json()["requests"]
        shown = desk.program(VERA).get(f"/api/v1/requests/{request['request_id']}").json()
        assert shown["project"] == "2017.1.00886.L"
    else:
        assert (answer.status, reasons(logs)) == (422, ["unusable"])


def test_a_header_of_our_answers_cannot_be_made_by_the_caller(desk: DeskSite) -> None:
    lines = ("GET /sign-in?back=/%0d%0aSet-Cookie:%20stolen=1 HTTP/1.1", "Host: desk", "Accept: text/html")
    answer = raw(desk, *lines, "Connection: close")
    head = answer.partition(b"\r\n\r\n")[0]
    assert b"\r\nset-cookie: stolen" not in head.lower()
    split = raw(desk, "GET /api/v1/me HTTP/1.1", "Host: desk", "X-A: b\r\n folded", "Connection: close")
    assert split.split()[1] in (b"400", b"401")


def test_a_long_body_is_refused_by_what_it_says_and_by_what_it_is(desk: DeskSite) -> None:
    token = desk.provider.token(VERA)
    head = ("POST /api/v1/requests HTTP/1.1", "Host: desk", f"Authorization: Bearer {token}", "Connection: close")
    with capture_logs() as logs:
        said = raw(desk, *head, "Content-Length: 10000000000")
        sent = raw(
            desk, *head, "Transfer-Encoding: chunked", body=b"10000\r\n" + b"x" * 65536 + b"\r\n1\r\nx\r\n0\r\n\r\n"
        )
        page = raw(desk, "POST /requests HTTP/1.1", *head[1:], "Accept: text/html", "Content-Length: 10000000000")
        job = raw(desk, "POST /uws/jobs HTTP/1.1", *head[1:], "Content-Length: 10000000000")
    assert [answer.split()[1] for answer in (said, sent, page, job)] == [b"413"] * 4
    assert reasons(logs) == ["body_too_long"] * 4
    assert b'"type":"about:blank"' in said
    assert b"\r\ncontent-type: text/html" in page.lower()
    assert b"\r\ncontent-type: text/plain" in job.lower()


@pytest.mark.parametrize(
    "lines", [("GET / HTTP/1.1", "X-Long: " + "a" * 1_000_000), (f"GET /{'a' * 1_000_000} HTTP/1.1",)]
)
def test_endless_headers_and_addresses_are_cut_off(lines: tuple[str, ...], desk: DeskSite) -> None:
    try:
        status = raw(desk, *lines, "Host: desk").split()[1]
    except ConnectionError:
        # The server has answered and hung up while we were still sending.
        status = b"400"
    assert status == b"400"
    assert desk.visitor().get("/nothing").status == 404


def test_every_answer_keeps_browsers_careful(desk: DeskSite) -> None:
    for browser, path in ((desk.visitor(), "/nothing"), (desk.program(OPERATOR), "/api/v1/me")):
        headers = browser.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "'unsafe-inline'" not in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert "Server" not in headers


def test_what_a_person_typed_is_text_on_an_error_page(desk: DeskSite) -> None:
    browser = desk.browser(VERA)
    page = browser.get("/deliveries/%3Cscript%3Ealert(1)%3C/script%3E", Accept="text/html").data.decode()
    assert "<script>" not in page
    assert "<h1>" in page


@pytest.mark.parametrize("path", ["/nothing", "/deliveries/nothing"])
def test_where_nothing_is_a_person_is_told_so_with_the_ways_on(path: str, desk: DeskSite) -> None:
    page = desk.browser(VERA).get(path, Accept="text/html")
    assert page.status == 404
    shown = page.data.decode()
    assert "<h1>There is nothing here</h1>" in shown
    assert 'href="/requests">My requests' in shown
    assert "Sign out" in shown
    assert "Sign out" not in desk.visitor().get(path, Accept="text/html").data.decode()


def test_a_cookie_that_was_changed_or_made_elsewhere_is_worth_nothing(desk: DeskSite) -> None:
    browser = desk.browser(VERA)
    assert browser.get("/api/v1/me").status == 200
    (name, value), *_ = browser.cookies.items()
    head, body, signature = value.split(".")
    for forged in (f"{head}.{body}x.{signature}", f"eyJhbGciOiJub25lIn0.{body}.", desk.provider.token(OPERATOR)):
        browser.cookies = {name: forged}
        assert browser.get("/api/v1/me").status == 401


def test_a_page_of_another_site_cannot_submit_or_cancel_with_ones_cookie(desk: DeskSite) -> None:
    browser, request = desk.browser(VERA), desk.request(VERA)
    asked = {"project_code": "2017.1.00886.L", "mous_uids": ["uid://A001/X1/X2"]}
    for path, body in (("/api/v1/requests", asked), (f"/api/v1/requests/{request.request_id}/cancel", {})):
        with capture_logs() as logs:
            assert browser.post(path, json=body, origin="https://evil.example").status == 403
        assert reasons(logs) == ["foreign_origin"]
    assert browser.post("/uws", form={"PROJECT": "x"}, origin="https://evil.example").status == 403
    assert browser.post("/api/v1/requests", json=asked).status == 202
