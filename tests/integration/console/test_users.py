"""The desk's pages in a real Chromium: asked, watched, collected; operated; with and without scripts."""

from collections.abc import Callable
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from contracts.messages import (
    FetchProgressed,
    RequestCancelled,
    RequestRefused,
    RequestSubmitted,
    RestoreProgressed,
)
from contracts.reasons import ReasonCode
from tests.support import samples
from tests.support.chromium import obstacles
from tests.support.console_window import Window, resolved
from tests.support.desk_site import OPERATOR, TAR, VERA, DeskSite, deliver

PHONE = {"width": 380, "height": 700}
OTHER_MOUS = "uid://A001/X133d/X1244"


def request_of(page: Page) -> UUID:
    return UUID(page.url.rpartition("/")[2])


def test_somebody_asks_for_data_and_sees_each_step_as_it_happens(site: DeskSite, window: Callable[..., Window]) -> None:
    page = window().sign_in(VERA)
    expect(page.get_by_text("You have not asked for anything yet.")).to_be_visible()
    page.get_by_role("link", name="Ask for data").first.click()
    page.get_by_label("MOUS UIDs").fill("uid://A001/X1284/X265f")
    page.get_by_label("Project code").fill("2017.1.00886.L")
    page.get_by_role("button", name="Ask for the data").click()
    expect(page.get_by_role("heading", name="uid://A001/X1284/X265f")).to_be_visible()
    (submitted,) = site.bus_said(RequestSubmitted)
    assert isinstance(submitted.data, RequestSubmitted)
    assert submitted.correlationid == request_of(page)
    page.evaluate("window.same = true")
    resolved(site, submitted.data.request)
    block = samples.STRUCTURE.execution_blocks[0]
    expect(page.get_by_text(block)).to_be_visible()
    site.say(
        FetchProgressed(
            request_id=request_of(page),
            mous_uid=submitted.data.request.mous_uid,
            eb_uid=block,
            files_done=1,
            files_total=4,
            bytes_done=25_000_000,
            bytes_total=100_000_000,
            rate=5e6,
        )
    )
    expect(page.get_by_text("25.0 MB of 100 MB, 5.0 MB/s")).to_be_visible()
    expect(page.locator("#told")).to_have_text("The request is in work, step Fetch.")
    site.say(
        RestoreProgressed(
            request_id=request_of(page),
            mous_uid=submitted.data.request.mous_uid,
            eb_uid=block,
            step="applycal",
            percent=50,
            bytes_written=1_434_000_000,
        )
    )
    expect(page.get_by_text("1.4 GB written")).to_be_visible()
    deliver(site, submitted.data.request)
    expect(page.get_by_role("link", name="Collect the data")).to_be_visible()
    assert page.evaluate("window.same"), "the page was not loaded anew"
    page.get_by_role("link", name="Collect the data").click()
    with page.expect_download() as download:
        page.get_by_role("link", name=TAR).click()
    assert download.value.path().read_bytes() == b"tar"
    assert [each.file for each in site.ledger.downloads(submitted.correlationid)] == [TAR]


def test_each_of_several_mouss_has_a_status_and_the_same_form_sent_twice_is_one_submission(
    site: DeskSite, window: Callable[..., Window]
) -> None:
    page = window().sign_in(VERA, "/requests/new")
    page.get_by_label("MOUS UIDs").fill(f"uid://A001/X1284/X265f\nnonsense {OTHER_MOUS}")
    page.get_by_label("Project code").fill("2017.1.00886.L")
    page.get_by_role("button", name="Ask for the data").click()
    expect(page.get_by_role("row", name="uid://A001/X1284/X265f submitted")).to_be_visible()
    expect(page.get_by_role("row", name="nonsense not submitted")).to_be_visible()
    page.reload()
    expect(page.get_by_role("row", name=f"{OTHER_MOUS} submitted")).to_be_visible()
    assert len(site.bus_said(RequestSubmitted)) == 2


def test_a_form_that_cannot_be_used_says_why_and_keeps_what_was_written(window: Callable[..., Window]) -> None:
    one = window()
    page = one.sign_in(VERA, "/requests/new")
    page.get_by_label("MOUS UIDs").fill("uid://A001/X1284/X265f")
    page.get_by_label("Project code").fill("seventeen")
    page.get_by_role("button", name="Ask for the data").click()
    expect(page.get_by_role("alert")).to_contain_text("Project code")
    assert page.get_by_label("MOUS UIDs").input_value() == "uid://A001/X1284/X265f"
    assert one.complaints.found.pop().startswith("Failed to load resource: the server responded with a status of 422")


def test_all_of_it_works_without_scripts(site: DeskSite, window: Callable[..., Window]) -> None:
    page = window(java_script_enabled=False, viewport=PHONE).sign_in(VERA, "/requests/new")
    page.get_by_label("MOUS UIDs").fill("uid://A001/X1284/X265f")
    page.get_by_label("Project code").fill("2017.1.00886.L")
    page.get_by_role("button", name="Ask for the data").click()
    expect(page.get_by_text("being checked").first).to_be_visible()
    assert page.locator('meta[http-equiv="refresh"]').count() == 1
    page.get_by_role("button", name="Cancel the request").click()
    expect(page.get_by_text("Cancelled by vrubin.")).to_be_visible()
    assert [event.correlationid for event in site.bus_said(RequestCancelled)] == [request_of(page)]


def test_with_scripts_cancelling_is_asked_twice(site: DeskSite, window: Callable[..., Window]) -> None:
    asked = site.request()
    page = window().sign_in(VERA, f"/requests/{asked.request_id}")
    answers = [False, True]
    page.on("dialog", lambda dialog: dialog.accept() if answers.pop(0) else dialog.dismiss())
    with page.expect_event("dialog"):  # a click can be over before its question is heard of
        page.get_by_role("button", name="Cancel the request").click()
    assert site.bus_said(RequestCancelled) == []
    page.get_by_role("button", name="Cancel the request").click()
    expect(page.get_by_text("Cancelled by vrubin.")).to_be_visible()


def test_a_delivery_opens_by_its_address_and_is_renewed_by_its_owner_alone(
    site: DeskSite, window: Callable[..., Window]
) -> None:
    asked = site.request()
    made = deliver(site, asked, days=3)
    path = made.address.removeprefix(site.base_url)
    stranger = window()
    assert stranger.open(path) == 200
    expect(stranger.page.get_by_role("heading", name="wget")).to_be_visible()
    expect(stranger.page.get_by_text("read me", exact=True)).to_be_visible()
    assert stranger.page.get_by_role("button", name="Renew").count() == 0
    page = window().sign_in(VERA, path)
    page.get_by_role("button", name="Renew").click()
    expect(page.get_by_text("Can be fetched until")).to_be_visible()
    record = site.ledger.request(asked.request_id)
    assert record is not None
    renewed = site.deliveries.of_request(asked.request_id) if site.deliveries else None
    assert renewed is not None
    assert renewed.expires > made.expires


def test_who_was_refused_reads_why_in_the_list_and_goes_on_from_there(
    site: DeskSite, window: Callable[..., Window]
) -> None:
    asked = site.request()
    site.say(RequestRefused(request=asked, reason=ReasonCode.NOT_ENTITLED, detail="neither PI nor delegee"))
    page = window().sign_in(VERA, "/requests")
    expect(page.get_by_text("You presently do not have access permission")).to_be_visible()
    page.get_by_role("link", name=asked.mous_uid).click()
    expect(page.get_by_text("Calibrators are for everybody")).to_be_visible()
    page.get_by_role("link", name="Ask again").click()
    expect(page.get_by_label("MOUS UIDs")).to_have_value(asked.mous_uid)
    expect(page.get_by_label("Project code")).to_have_value(asked.project_code)


def test_what_can_never_be_had_is_not_offered_again(site: DeskSite, window: Callable[..., Window]) -> None:
    asked = site.request()
    site.say(RequestRefused(request=asked, reason=ReasonCode.NO_QA0_PASS))
    page = window().sign_in(VERA, f"/requests/{asked.request_id}")
    expect(page.get_by_text("ALMA cannot offer calibrated data")).to_be_visible()
    expect(page.get_by_role("link", name="Ask again")).to_have_count(0)


def test_nobody_sees_other_peoples_requests_nor_the_operators_pages(
    site: DeskSite, window: Callable[..., Window]
) -> None:
    foreign = site.request(OPERATOR)
    one = window()
    one.sign_in(VERA)
    assert one.open(f"/requests/{foreign.request_id}") == 404
    for path in ("/operations", "/operations/requests", f"/operations/requests/{foreign.request_id}"):
        assert one.open(path) == 403
    assert len(one.complaints.found) == 4
    one.complaints.found.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_in_the_way_of_people_who_do_not_see_or_use_no_mouse(
    site: DeskSite, window: Callable[..., Window], scheme: str
) -> None:
    going, ended = site.request(), site.request()
    resolved(site, going)
    address = deliver(site, ended).address.removeprefix(site.base_url)
    paths = [
        "/",
        "/requests",
        "/requests/new",
        f"/requests/{going.request_id}",
        address,
        "/operations",
        "/operations/requests",
        f"/operations/requests/{going.request_id}",
        "/operations/stuck",
        "/operations/dead-letters",
        "/operations/casa",
    ]
    one = window(color_scheme=scheme, bypass_csp=True)
    assert one.open("/") == 200
    assert obstacles(one.page) == []
    one.sign_in(OPERATOR)
    for path in paths[1:]:
        assert one.open(path) == 200
        assert obstacles(one.page) == [], path


@pytest.mark.parametrize("width", [380, 768, 900])
def test_a_page_fits_a_phone_and_a_tablet(site: DeskSite, window: Callable[..., Window], width: int) -> None:
    going, refused = site.request(), site.request()
    resolved(site, going)
    site.say(RequestRefused(request=refused, reason=ReasonCode.MOUS_OF_OTHER_PROJECT))
    one = window(viewport={"width": width, "height": 700}, is_mobile=True)
    one.sign_in(OPERATOR)
    paths = ("/requests", f"/requests/{going.request_id}", "/operations", "/operations/requests", "/operations/casa")
    for path in paths:
        assert one.open(path) == 200
        wide = one.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, path


def test_the_keyboard_alone_leads_through_the_form(site: DeskSite, window: Callable[..., Window]) -> None:
    page = window().sign_in(VERA, "/requests/new")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("MOUS UIDs")).to_be_focused()
    page.keyboard.type("uid://A001/X1284/X265f")
    page.keyboard.press("Tab")
    page.keyboard.type("2017.1.00886.L")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="uid://A001/X1284/X265f")).to_be_visible()
    assert len(site.bus_said(RequestSubmitted)) == 1
