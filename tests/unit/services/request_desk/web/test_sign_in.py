"""People sign in at the provider with PKCE, or on their own machine with its key."""

import json
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from services.request_desk.web.settings import LocalSignIn, WebSettings
from tests.support.browser import Browser
from tests.support.oidc_provider import OidcProviderServer, Person
from tests.unit.services.request_desk.web.conftest import Serve

VERA = Person(account="vrubin", name="Vera Rubin", email="vera@example.org")
OPERATOR = Person(account="op", name="Olga Op", email="op@example.org", roles=("alma-restore-operator",))
Browse = Callable[..., Browser]


def signed_in(browser: Browser, provider: OidcProviderServer, person: Person) -> Browser:
    provider.person = person
    answer = browser.follow(browser.get("/sign-in?back=/who"))
    assert answer.status == 200, answer.data
    return browser


def test_a_person_signs_in_at_the_provider_and_is_known_afterwards(
    provider: OidcProviderServer, oidc: WebSettings, serve: Serve, browse: Browse
) -> None:
    browser = signed_in(browse(serve(oidc)), provider, VERA)
    who = browser.get("/who").json()
    assert (who["account"], who["email"], who["roles"]) == ("vrubin", "vera@example.org", ["user"])
    assert browser.get("/operators").status == 403
    assert signed_in(browser, provider, OPERATOR).get("/operators").status == 200


def test_the_question_to_the_provider_holds_a_challenge_a_state_and_a_nonce_that_are_new_each_time(
    oidc: WebSettings, serve: Serve, browse: Browse
) -> None:
    address = serve(oidc)
    asked = []
    for _ in range(2):
        location = browse(address).get("/sign-in").headers["Location"]
        asked.append({name: values[0] for name, values in parse_qs(urlsplit(location).query).items()})
    assert asked[0]["code_challenge_method"] == "S256"
    assert asked[0]["redirect_uri"] == f"{address}/sign-in/return"
    for name in ("code_challenge", "state", "nonce"):
        assert asked[0][name] != asked[1][name]


def test_the_cookies_are_for_this_site_and_not_for_scripts(
    provider: OidcProviderServer, oidc: WebSettings, serve: Serve, browse: Browse
) -> None:
    provider.person = VERA
    browser = browse(serve(oidc))
    began = browser.get("/sign-in")
    done = browser.get(browser.get(began.headers["Location"]).headers["Location"])
    for answer in (began, done):
        for line in answer.headers.getlist("Set-Cookie"):
            assert {"HttpOnly", "Path=/", "SameSite=lax"} <= {part.strip() for part in line.split(";")}


def test_behind_https_cookies_are_secure_and_bound_to_the_host(oidc: WebSettings, serve: Serve, browse: Browse) -> None:
    settings = oidc.model_copy(update={"base_url": "https://restore.example.org"})
    answer = browse(serve(settings)).get("/sign-in")
    (line,) = answer.headers.getlist("Set-Cookie")
    assert line.startswith("__Host-alma-restore-sign-in=")
    assert "Secure" in line
    assert "Domain" not in line
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "redirect_uri=https%3A%2F%2Frestore.example.org%2Fsign-in%2Freturn" in answer.headers["Location"]


@pytest.mark.parametrize("change", ["no cookie", "other state", "refused there", "used code"])
def test_an_answer_of_the_provider_that_belongs_to_no_sign_in_begun_here_is_refused(
    change: str, provider: OidcProviderServer, oidc: WebSettings, serve: Serve, browse: Browse
) -> None:
    provider.person = None if change == "refused there" else VERA
    browser = browse(serve(oidc))
    back = browser.get(browser.get("/sign-in").headers["Location"]).headers["Location"]
    if change == "no cookie":
        browser.cookies.clear()
    if change == "other state":
        back = back.replace("state=", "state=y")
    if change == "used code":
        kept = dict(browser.cookies)
        assert browser.get(back).status == 303
        browser.cookies = kept
    with capture_logs() as logs:
        answer = browser.get(back)
    assert answer.status in (401, 403)
    assert [entry["event"] for entry in logs if entry["event"] == "call_refused"]


def test_nobody_is_sent_to_another_site_after_the_sign_in(local: WebSettings, serve: Serve, browse: Browse) -> None:
    browser = browse(serve(local))
    for back in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nX: y"):
        answer = browser.call(
            "GET",
            "/sign-in?key=the+key+of+this+machine&back="
            + json.dumps(back)[1:-1].replace("\\", "%5C").replace(" ", "+"),
        )
        assert answer.headers["Location"] == "/", back


def test_who_signs_out_is_known_no_more_even_with_the_old_cookie(
    provider: OidcProviderServer, oidc: WebSettings, serve: Serve, browse: Browse
) -> None:
    browser = signed_in(browse(serve(oidc)), provider, VERA)
    kept = dict(browser.cookies)
    answer = browser.post("/sign-out")
    assert answer.headers["Location"].startswith(f"{provider.issuer}/protocol/openid-connect/logout?")
    assert browser.get("/who").status == 401
    browser.cookies = kept
    assert browser.get("/who").status == 401


def test_a_browser_that_is_not_signed_in_is_sent_to_the_sign_in_and_a_program_is_told(
    oidc: WebSettings, serve: Serve, browse: Browse
) -> None:
    browser = browse(serve(oidc))
    assert browser.get("/who", Accept="text/html").headers["Location"] == "/sign-in?back=%2Fwho"
    answer = browser.get("/who")
    assert (answer.status, answer.json()["code"]) == (401, "sign_in_needed")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_address_that_the_provider_has_not_verified_is_nobodys(
    provider: OidcProviderServer, oidc: WebSettings, serve: Serve, browse: Browse
) -> None:
    browser = signed_in(browse(serve(oidc)), provider, replace(VERA, email_verified=False))
    assert browser.get("/who").json()["email"] is None


def test_on_ones_own_machine_the_key_opens_the_door_and_nothing_else_does(
    local: WebSettings, serve: Serve, browse: Browse
) -> None:
    browser = browse(serve(local))
    assert browser.get("/sign-in?key=guess").status == 401
    assert browser.get("/who").status == 401
    assert browser.get("/sign-in?key=the+key+of+this+machine").status == 303
    assert set(browser.get("/who").json()["roles"]) == {"operator", "user"}


def test_on_ones_own_machine_another_name_for_it_is_refused(local: WebSettings, serve: Serve, browse: Browse) -> None:
    browser = browse(serve(local), token="the key of this machine")
    assert browser.get("/who").status == 200
    assert browser.get("/who", Host="evil.example").status == 403


def test_the_local_sign_in_refuses_to_listen_on_anything_but_loopback() -> None:
    for host in ("0.0.0.0", "192.0.2.1", "::", "example.org"):
        with pytest.raises(ValidationError, match="loopback"):
            WebSettings(port=0, host=host, base_url="http://x.example", sign_in=LocalSignIn())
    assert WebSettings(port=0, host="::1").host == "::1"


def test_the_local_sign_in_of_a_container_may_listen_on_its_network_if_told_who_publishes_it() -> None:
    local = LocalSignIn(published_on_loopback=True)
    assert WebSettings(port=0, host="0.0.0.0", base_url="http://localhost:8000", sign_in=local).sign_in == local


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
def test_a_page_of_another_site_cannot_change_anything_in_ones_name(
    origin: str | None, provider: OidcProviderServer, oidc: WebSettings, serve: Serve, browse: Browse
) -> None:
    browser = signed_in(browse(serve(oidc)), provider, VERA)
    with capture_logs() as logs:
        assert browser.post("/change", origin=origin).status == 403
    reason = next(entry["reason"] for entry in logs if entry["event"] == "call_refused")
    assert reason == ("no_origin" if origin is None else "foreign_origin")
    assert browser.post("/change").status == 200
