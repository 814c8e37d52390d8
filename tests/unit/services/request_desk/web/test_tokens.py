"""Programs bring tokens: whatever is wrong with one, it is refused and logged; changed keys are found."""

import base64
import json
import time
from collections.abc import Callable

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from structlog.testing import capture_logs

from services.request_desk.web.settings import WebSettings
from tests.support.browser import Browser
from tests.support.oidc_provider import AUDIENCE, OidcProviderServer, Person
from tests.unit.services.request_desk.web.conftest import Serve

ARCHIVE = Person("service-account-rh", "Request Handler", "rh@example.org", roles=("alma-restore-submitter",))
Browse = Callable[..., Browser]
Make = Callable[[OidcProviderServer], str]


def test_a_program_is_known_by_its_token(
    provider: OidcProviderServer, oidc: WebSettings, serve: Serve, browse: Browse
) -> None:
    browser = browse(serve(oidc), token=provider.token(ARCHIVE))
    assert browser.get("/who").json()["roles"] == ["submitter"]
    assert browser.post("/change", origin=None).status == 200


def test_a_token_is_refused_where_another_sites_page_sends_it(
    provider: OidcProviderServer, oidc: WebSettings, serve: Serve, browse: Browse
) -> None:
    browser = browse(serve(oidc), token=provider.token(ARCHIVE))
    assert browser.post("/change", origin="https://evil.example").status == 403


def _unsigned(provider: OidcProviderServer) -> str:
    def part(value: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    claims = {"iss": provider.issuer, "aud": AUDIENCE, "exp": time.time() + 60, **ARCHIVE.claims}
    return f"{part({'alg': 'none'})}.{part(claims)}."


def _by_the_public_key_as_secret(provider: OidcProviderServer) -> str:
    claims = {"iss": provider.issuer, "aud": AUDIENCE, "exp": int(time.time()) + 60, **ARCHIVE.claims}
    body = ".".join(
        base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
        for value in ({"alg": "HS256"}, claims)
    )
    import hashlib
    import hmac

    digest = hmac.new(provider.public_key_pem, body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _by_another_key(provider: OidcProviderServer) -> str:
    kid = jwt.decode(provider.token(ARCHIVE), provider._key).header["kid"]
    claims = {"iss": provider.issuer, "aud": AUDIENCE, "exp": int(time.time()) + 60, **ARCHIVE.claims}
    return jwt.encode({"alg": "RS256", "kid": kid}, claims, RSAKey.generate_key(2048))


def _tampered(provider: OidcProviderServer) -> str:
    head, _, signature = provider.token(ARCHIVE).split(".")
    claims = {"iss": provider.issuer, "aud": AUDIENCE, "exp": int(time.time()) + 60, "sub": "somebody"}
    return f"{head}.{base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b'=').decode()}.{signature}"


BAD: dict[str, Make] = {
    "expired": lambda provider: provider.token(ARCHIVE, lifetime=-60),
    "no expiry": lambda provider: provider.token(ARCHIVE, exp=None),
    "for another audience": lambda provider: provider.token(ARCHIVE, aud="account"),
    "for no audience": lambda provider: provider.token(ARCHIVE, aud=None),
    "of another issuer": lambda provider: provider.token(ARCHIVE, iss="https://evil.example"),
    "not valid yet": lambda provider: provider.token(ARCHIVE, nbf=int(time.time()) + 600),
    "about nobody": lambda provider: provider.token(ARCHIVE, sub=None),
    "unsigned": _unsigned,
    "signed by the public key as a secret": _by_the_public_key_as_secret,
    "signed by another key": _by_another_key,
    "changed afterwards": _tampered,
    "signed by a key nobody knows": lambda provider: provider.sign(
        {"sub": "x", "exp": time.time() + 60}, header={"kid": "unknown"}
    ),
    "an HMAC token": lambda _: jwt.encode({"alg": "HS256"}, {"sub": "x"}, OctKey.import_key("s" * 32)),
    "no token at all": lambda _: "nonsense",
    "endless": lambda _: "e" * 20_000,
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_token_is_refused_and_logged_and_never_shown(
    kind: str, provider: OidcProviderServer, oidc: WebSettings, serve: Serve, browse: Browse
) -> None:
    token = BAD[kind](provider)
    browser = browse(serve(oidc), token=token)
    with capture_logs() as logs:
        answer = browser.get("/who")
    assert answer.status == 401, answer.data
    refusals = [entry for entry in logs if entry["event"] == "call_refused"]
    assert len(refusals) == 1
    assert refusals[0]["reason"].startswith("token")
    assert token not in json.dumps(logs, default=str)


def test_a_changed_key_is_fetched_once_and_the_old_one_is_worth_nothing(
    provider: OidcProviderServer, oidc: WebSettings, serve: Serve, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.request_desk.web.provider._LEAST_SECONDS", 0.0)
    address = serve(oidc)
    old = provider.token(ARCHIVE)
    assert browse(address, token=old).get("/who").status == 200
    provider.change_keys()
    assert browse(address, token=provider.token(ARCHIVE)).get("/who").status == 200
    assert browse(address, token=old).get("/who").status == 401
    assert provider.asked["certs"] == 3


def test_invented_keys_do_not_make_the_desk_ask_the_provider_again_and_again(
    provider: OidcProviderServer, oidc: WebSettings, serve: Serve, browse: Browse
) -> None:
    browser = browse(serve(oidc), token=BAD["signed by a key nobody knows"](provider))
    for _ in range(5):
        assert browser.get("/who").status == 401
    assert provider.asked["certs"] == 1


def test_a_provider_that_is_away_is_no_refusal(serve: Serve, browse: Browse, oidc: WebSettings) -> None:
    nobody = oidc.sign_in.model_copy(update={"issuer": "http://127.0.0.1:1/realms/ALMA"})
    browser = browse(serve(oidc.model_copy(update={"sign_in": nobody})), token="a.b.c")
    answer = browser.get("/who")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


def test_who_asks_too_often_is_told_to_wait(
    provider: OidcProviderServer, oidc: WebSettings, serve: Serve, browse: Browse
) -> None:
    address = serve(oidc.model_copy(update={"reads_per_minute": 3}))
    browser = browse(address, token=provider.token(ARCHIVE))
    assert [browser.get("/who").status for _ in range(4)] == [200, 200, 200, 429]
    other = browse(address, token=provider.token(Person("other", "Other", "o@example.org")))
    assert other.get("/who").status == 200
