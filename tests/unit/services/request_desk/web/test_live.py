"""Live progress: told at once, resumed without loss, ended with the request."""

import json
from collections.abc import Iterator
from time import monotonic, sleep
from typing import Any

import urllib3

from contracts.messages import RequestAccepted, RequestRefused
from contracts.messages.parts import Entitlement
from contracts.reasons import ReasonCode
from tests.support.browser import Browser
from tests.support.desk_site import OPERATOR, VERA, DeskSite


class View:
    """A live view that is open."""

    def __init__(self, browser: Browser, path: str, **headers: str) -> None:
        sent = {"Authorization": f"Bearer {browser.token}", **headers}
        http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(10))
        self._answer = http.request("GET", browser.base_url + path, headers=sent, preload_content=False)
        self.status = self._answer.status
        self._lines = self._read()

    def _read(self) -> Iterator[str]:
        rest = b""
        while data := self._answer.read1(65536):
            *lines, rest = (rest + data).split(b"\n")
            yield from (line.decode() for line in lines)

    def next(self) -> tuple[str, str, Any]:
        """Return name, id and data of the next event."""
        found: dict[str, str] = {}
        for line in self._lines:
            if not line and "data" in found:
                return found["event"], found["id"], json.loads(found["data"])
            name, _, value = line.partition(": ")
            if name in ("event", "id", "data"):
                found[name] = value
        return "closed", "", None

    def close(self) -> None:
        self._answer.close()


def test_a_view_begins_with_how_things_are_and_tells_each_change_within_a_second(desk: DeskSite) -> None:
    request = desk.request(VERA)
    view = View(desk.program(VERA), f"/api/v1/requests/{request.request_id}/events")
    assert view.next()[2]["state"] == "submitted"
    began = monotonic()
    desk.say(RequestAccepted(request=request, entitlement=Entitlement.PI))
    name, number, shown = view.next()
    assert monotonic() - began < 1.0
    assert (name, shown["state"], int(number)) == ("progress", "accepted", desk.change_of(request.request_id))
    desk.say(RequestRefused(request=request, reason=ReasonCode.NOT_RESTORABLE_YET))
    assert view.next()[2]["state"] == "refused"
    assert view.next()[0] == "end"
    assert view.next()[0] == "closed"


def test_who_comes_back_gets_what_was_missed_and_nothing_twice(desk: DeskSite) -> None:
    request, vera = desk.request(VERA), desk.program(VERA)
    path = f"/api/v1/requests/{request.request_id}/events"
    view = View(vera, path)
    _, seen, _ = view.next()
    view.close()
    desk.say(RequestAccepted(request=request, entitlement=Entitlement.PI))
    back = View(vera, path, **{"Last-Event-ID": seen})
    _, seen, shown = back.next()
    assert shown["state"] == "accepted"
    back.close()
    again = View(vera, path, **{"Last-Event-ID": seen})
    desk.say(RequestRefused(request=request, reason=ReasonCode.NOT_RESTORABLE_YET))
    assert again.next()[2]["state"] == "refused"


def test_a_number_that_this_ledger_never_gave_is_no_reason_to_wait_for_ever(desk: DeskSite) -> None:
    request = desk.request(VERA)
    for number in ("999999999999", "nonsense", "-1", "9" * 40):
        view = View(desk.program(VERA), f"/api/v1/requests/{request.request_id}/events", **{"Last-Event-ID": number})
        assert view.next()[2]["state"] == "submitted"
        view.close()


def test_a_thousandfold_view_is_refused_and_a_closed_one_makes_room(desk: DeskSite) -> None:
    request, vera = desk.request(VERA), desk.program(VERA)
    path = f"/api/v1/requests/{request.request_id}/events"
    views = [View(vera, path) for _ in range(20)]
    assert {view.status for view in views} == {200}
    assert View(vera, path).status == 429
    assert View(desk.program(OPERATOR), path).status == 200
    views[0].close()
    until = monotonic() + 10
    while (status := View(vera, path).status) == 429:
        assert monotonic() < until
        sleep(0.01)
    assert status == 200


def test_operators_hear_which_requests_have_changed(desk: DeskSite) -> None:
    desk.request(VERA)
    view = View(desk.program(OPERATOR), "/api/v1/operations/events", **{"Last-Event-ID": "0"})
    view.next()
    request = desk.request(VERA)
    name, _, ids = view.next()
    assert (name, ids) == ("changed", [str(request.request_id)])
