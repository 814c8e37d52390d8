"""The operators' pages in a real Chromium."""

from collections.abc import Callable, Sequence

from playwright.sync_api import expect

from contracts.envelope import Event
from contracts.messages import RequestRefused, RequestSubmitted
from contracts.reasons import ReasonCode
from shared.bus import Delivery, Subscription
from shared.errors import MisconfiguredError
from tests.support.console_window import Window
from tests.support.desk_site import OPERATOR, DeskSite


def test_what_strangers_wrote_is_shown_and_does_nothing(site: DeskSite, window: Callable[..., Window]) -> None:
    hostile = "<script>document.title='taken'</script><img src=x onerror=alert(1)>"
    asked = site.request(ticket=hostile)
    page = window().sign_in(OPERATOR, f"/operations/requests/{asked.request_id}")
    expect(page.get_by_text(hostile).first).to_be_visible()
    assert page.title().startswith("uid://")
    assert page.locator("main img, main script").count() == 0


def test_operators_see_a_dead_letter_and_send_it_on_again_or_drop_it(
    site: DeskSite, window: Callable[..., Window]
) -> None:
    broken = True

    def handle(event: Event, delivery: Delivery) -> Sequence[Event]:
        if broken:
            raise MisconfiguredError("the archive's password is wrong")
        return []

    site.bus.subscribe(Subscription(queue="entitlement-checker", topics=("request.submitted",), handler=handle))
    asked = site.request()
    other = site.request()
    site.bus.publish([Event.first(RequestSubmitted(request=each), source="/test") for each in (asked, other)])
    page = window().sign_in(OPERATOR, "/operations")
    expect(page.get_by_role("row", name="entitlement-checker 0 1 2")).to_be_visible()
    page.get_by_role("link", name="Dead letters").click()
    page.get_by_role("link", name="request.submitted").first.click()
    expect(page.get_by_role("heading", name="Message")).to_be_visible()
    broken = False
    page.get_by_role("button", name="Send on again").click()
    expect(page.get_by_role("link", name="request.submitted")).to_have_count(1)
    page.get_by_role("link", name="request.submitted").click()
    page.get_by_label("Note").fill("a test of a broken handler")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Drop with this note").click()
    expect(page.get_by_text("There are none.")).to_be_visible()
    assert site.bus.dead_letters("entitlement-checker") == ()


def test_operators_find_requests_and_see_each_event_whole(site: DeskSite, window: Callable[..., Window]) -> None:
    asked = site.request()
    site.request(OPERATOR)
    site.say(RequestRefused(request=asked, reason=ReasonCode.NOT_ENTITLED, detail="neither PI nor delegee"))
    page = window().sign_in(OPERATOR, "/operations/requests")
    expect(page.get_by_text("2 requests")).to_be_visible()
    page.get_by_label("State").select_option("refused")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("1 request", exact=True)).to_be_visible()
    page.get_by_role("link", name="uid://A001/X1284/X265f").click()
    page.get_by_text("request.refused").click()
    expect(page.get_by_text('"not_entitled"')).to_be_visible()


def test_the_flow_is_live(site: DeskSite, window: Callable[..., Window]) -> None:
    page = window().sign_in(OPERATOR, "/operations")
    step = page.locator(".flow li").filter(has_text="Entitlement")
    expect(step).to_contain_text("0")
    site.request()
    expect(step).to_contain_text("1")
    expect(page.get_by_role("row", name="requests submitted 1 1")).to_be_visible()
