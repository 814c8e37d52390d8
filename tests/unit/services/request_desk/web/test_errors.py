"""What went wrong, as people read it on a page: whole sentences, and a way on."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from services.request_desk.web.settings import WebSettings
from tests.support.browser import Browser
from tests.support.desk_site import OPERATOR, VERA, DeskSite


def page_of(browser: Browser, path: str) -> tuple[int, str]:
    answer = browser.get(path, Accept="text/html")
    return answer.status, answer.data.decode()


@pytest.mark.parametrize("path", ["/requests/20c9e390-7435", "/operations/requests/nonsense"])
def test_an_address_that_was_cut_short_is_told_in_words_and_not_in_those_of_a_parser(path: str, desk: DeskSite) -> None:
    status, page = page_of(desk.browser(OPERATOR), path)
    assert status == 404
    assert "<p>Nothing has this address: it may have been cut short" in page
    assert desk.program(OPERATOR).get("/api/v1/requests/nonsense").status == 422


def test_what_a_person_is_told_is_a_sentence(desk: DeskSite) -> None:
    browser = desk.browser(VERA)
    assert "<p>There is no such request.</p>" in page_of(browser, f"/requests/{uuid4()}")[1]
    assert "<p>This is for operators.</p>" in page_of(browser, "/operations")[1]
    told = desk.program(VERA).get(f"/api/v1/requests/{uuid4()}").json()
    assert told["detail"] == "there is no such request"


def test_a_value_that_cannot_be_used_is_named_as_the_page_names_it(desk: DeskSite) -> None:
    status, page = page_of(desk.browser(VERA), f"/requests?cursor={'x' * 300}")
    assert status == 422
    assert "<p>cursor: String should have at most 200 characters.</p>" in page


def test_who_was_signed_out_meanwhile_is_told_to_sign_in_and_not_to_send_a_token(desk: DeskSite) -> None:
    answer = desk.visitor().post("/requests", form={"key": "k"}, headers={"Accept": "text/html"})
    page = answer.data.decode()
    assert answer.status == 401
    assert "Bearer" not in page
    assert 'href="/sign-in?back=/">Sign in</a>' in page
    assert "Bearer" in desk.visitor().post("/api/v1/requests", json={}).json()["detail"]


def test_at_ones_own_desk_a_person_is_told_where_the_key_is(
    local: WebSettings, serve: Callable[[WebSettings], str]
) -> None:
    with Browser(serve(local)) as browser:
        for path in ("/requests", "/sign-in?key=wrong"):
            status, page = page_of(browser, path)
            assert status == 401
            assert "<p>Open the address with the key that was shown when the desk started.</p>" in page
            assert "Bearer" not in page
