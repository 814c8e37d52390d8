"""The operators' pages in a real Chromium."""

from collections.abc import Callable, Sequence

from playwright.sync_api import expect

from contracts.envelope import Event
from contracts.messages import RequestRefused, RequestSubmitted
from contracts.reasons import ReasonCode
from shared import keys
from shared.bus import Delivery, Subscription
from shared.errors import MisconfiguredError
from tests.support.console_window import Window, resolved
from tests.support.desk_site import OPERATOR, DeskSite, deliver
from tests.support.samples import STRUCTURE


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
    page.get_by_role("link", name="Dead letters", exact=True).click()
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


def test_the_filters_stand_in_one_line_and_say_whole_what_can_be_looked_for(window: Callable[..., Window]) -> None:
    page = window(viewport={"width": 1280, "height": 800}).sign_in(OPERATOR, "/operations/requests")
    fields = page.locator(".filters input:not([type=checkbox]), .filters select, .filters button")
    boxes = [field.bounding_box() for field in fields.all()]
    assert len(boxes) == 6
    assert len({(box["y"], box["height"]) for box in boxes if box is not None}) == 1
    hint = page.get_by_placeholder("project, MOUS, ticket, user")
    assert hint.evaluate("it => { it.value = it.placeholder; return it.scrollWidth - it.clientWidth; }") <= 0


def test_a_request_is_live_with_its_logs_and_what_its_reader_has_opened_and_written_stays(
    site: DeskSite, window: Callable[..., Window]
) -> None:
    asked = site.request()
    page = window().sign_in(OPERATOR, f"/operations/requests/{asked.request_id}")
    page.get_by_text("request.submitted").click()
    page.get_by_text("Send on again what is unfinished").click()
    page.get_by_label("Why").fill("the database is back")
    block = STRUCTURE.execution_blocks[0]
    site.objects.put_bytes(keys.log(asked.request_id, block, "first.log"), b"SEVERE: out of memory")
    resolved(site, asked)
    expect(page.get_by_text("structure.resolved")).to_be_visible()
    expect(page.locator("details[open] pre", has_text='"user_name": "Vera Rubin"')).to_be_visible()
    expect(page.get_by_label("Why")).to_have_value("the database is back")
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("p.note", has_text="Sent on again by op")).to_contain_text("the database is back")
    page.get_by_role("link", name="first.log").click()
    expect(page.get_by_text("SEVERE: out of memory")).to_be_visible()


def test_a_click_is_none_the_less_one_if_news_come_between_press_and_release(
    site: DeskSite, window: Callable[..., Window]
) -> None:
    asked = site.request()
    block = STRUCTURE.execution_blocks[0]
    site.objects.put_bytes(keys.log(asked.request_id, block, "first.log"), b"SEVERE: out of memory")
    page = window().sign_in(OPERATOR, f"/operations/requests/{asked.request_id}")
    page.get_by_role("link", name="first.log").hover()
    page.mouse.down()
    with page.expect_response(lambda answer: answer.url.startswith(page.url)):
        resolved(site, asked)
    page.wait_for_timeout(500)
    expect(page.get_by_text("structure.resolved")).to_be_hidden()
    page.mouse.up()
    expect(page.get_by_text("SEVERE: out of memory")).to_be_visible()


def test_news_that_came_while_something_was_pressed_are_shown_once_it_is_released(
    site: DeskSite, window: Callable[..., Window]
) -> None:
    asked = site.request()
    page = window().sign_in(OPERATOR, f"/operations/requests/{asked.request_id}")
    page.get_by_role("heading", name="Events").hover()
    page.mouse.down()
    with page.expect_response(lambda answer: answer.url.startswith(page.url)):
        resolved(site, asked)
    page.mouse.up()
    expect(page.get_by_text("structure.resolved")).to_be_visible()


def test_an_operator_keeps_a_delivery_until_further_notice(site: DeskSite, window: Callable[..., Window]) -> None:
    asked = site.request()
    made = deliver(site, asked, days=3)
    page = window().sign_in(OPERATOR, f"/operations/requests/{asked.request_id}")
    page.get_by_role("button", name="Keep until further notice").click()
    expect(page.get_by_role("button", name="Keep until further notice")).to_be_visible()
    assert site.deliveries is not None
    assert site.deliveries.find(made.token).kept == "op"


def test_a_page_says_when_its_news_do_not_come_and_goes_on_when_they_do(
    site: DeskSite, window: Callable[..., Window]
) -> None:
    one = window()
    page = one.sign_in(OPERATOR, "/operations")
    expect(page.get_by_text("What you see may be old")).to_be_hidden()
    page.context.set_offline(True)
    page.evaluate("for (const element of document.querySelectorAll('[data-refresh]')) live(element)")
    expect(page.get_by_text("What you see may be old")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("What you see may be old")).to_be_hidden(timeout=15_000)
    site.request()
    expect(page.locator(".flow li").filter(has_text="Entitlement")).to_contain_text("1")
    one.complaints.found.clear()


def test_the_flow_is_live(site: DeskSite, window: Callable[..., Window]) -> None:
    page = window().sign_in(OPERATOR, "/operations")
    step = page.locator(".flow li").filter(has_text="Entitlement")
    expect(step).to_contain_text("0")
    site.request()
    expect(step).to_contain_text("1")
    expect(page.get_by_role("row", name="requests submitted 1 1")).to_be_visible()
