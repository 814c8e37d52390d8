"""The sign-in provider is examined: what a sign-in would meet is told before a person meets it."""

from typing import Any

import pytest
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from services.request_desk.web.examining import examine_sign_in
from services.request_desk.web.settings import WebSettings
from services.request_desk.web.tokens import algorithms_of
from shared.findings import Verdict
from tests.support.oidc_provider import OidcProviderServer

Found = dict[str, tuple[Verdict, str, str]]
WELL = {"sign-in: provider": "ok", "sign-in: issuer": "ok", "sign-in: keys": "ok"}


def examined(settings: WebSettings, **changed: str) -> Found:
    sign_in = settings.sign_in.model_copy(update=changed)
    findings = examine_sign_in(settings.model_copy(update={"sign_in": sign_in}))
    return {each.check: (each.verdict, each.found, each.advice) for each in findings}


def verdicts(found: Found) -> dict[str, str]:
    return {check: verdict.value for check, (verdict, _, _) in found.items()}


def test_a_provider_that_can_sign_people_in_is_well(oidc: WebSettings, provider: OidcProviderServer) -> None:
    found = examined(oidc)
    assert verdicts(found) == WELL
    assert provider.issuer in found["sign-in: issuer"][1]
    assert "RS256" in found["sign-in: keys"][1]
    assert provider.asked == {"openid-configuration": 1, "certs": 1}


def test_who_signs_in_at_their_own_machine_needs_no_provider(local: WebSettings) -> None:
    assert verdicts(examined(local)) == {"sign-in: provider": "ok"}


def test_a_provider_that_is_away_fails_with_its_address_and_the_setting(oidc: WebSettings) -> None:
    found = examined(oidc, issuer="http://127.0.0.1:1/realms/ALMA")
    assert verdicts(found) == {"sign-in: provider": "fail"}
    _, what, advice = found["sign-in: provider"]
    assert "refused" in what
    assert "http://127.0.0.1:1/realms/ALMA/.well-known/openid-configuration" in advice
    assert "ALMA_RESTORE_REQUEST_DESK_WEB_SIGN_IN__ISSUER" in advice


def test_what_answers_otherwise_than_a_provider_fails_with_its_words(
    oidc: WebSettings, provider: OidcProviderServer
) -> None:
    provider.configuration["token_endpoint"] = {"error": "Realm does not exist"}
    found = examined(oidc)
    assert verdicts(found) == {"sign-in: provider": "fail"}
    assert "Realm does not exist" in found["sign-in: provider"][1]


def test_a_provider_that_calls_itself_otherwise_fails_with_both_names(
    oidc: WebSettings, provider: OidcProviderServer
) -> None:
    provider.configuration["issuer"] = "https://inside.example.org/realms/ALMA"
    found = examined(oidc)
    assert verdicts(found) == {"sign-in: provider": "ok", "sign-in: issuer": "fail"}
    _, what, advice = found["sign-in: issuer"]
    assert "https://inside.example.org/realms/ALMA" in what
    assert provider.issuer in what
    assert "ALMA_RESTORE_REQUEST_DESK_WEB_SIGN_IN__ISSUER" in advice


def test_keys_that_cannot_be_fetched_fail(oidc: WebSettings, provider: OidcProviderServer) -> None:
    provider.configuration["jwks_uri"] = f"{provider.issuer}/nothing"
    found = examined(oidc)
    assert verdicts(found) == WELL | {"sign-in: keys": "fail"}
    assert f"{provider.issuer}/nothing" in found["sign-in: keys"][2]


@pytest.mark.parametrize(
    ("keys", "announced"),
    [
        ([OKPKey.generate_key("Ed25519", {"use": "sig", "alg": "EdDSA"})], ["EdDSA"]),
        ([RSAKey.generate_key(2048, {"use": "sig"})], ["HS256"]),
        ([ECKey.generate_key("secp256k1", {"use": "sig"})], None),
        ([ECKey.generate_key("P-256", {"use": "sig"})], ["RS256"]),
    ],
    ids=["another kind of key", "signs by a shared secret", "another curve", "no key for how it signs"],
)
def test_keys_that_verify_nothing_that_is_taken_fail_with_what_would_be(
    oidc: WebSettings, provider: OidcProviderServer, keys: list[Key], announced: Any
) -> None:
    provider.told_keys = keys
    provider.configuration["id_token_signing_alg_values_supported"] = announced or []
    found = examined(oidc)
    assert verdicts(found) == WELL | {"sign-in: keys": "fail"}
    assert all(name in found["sign-in: keys"][1] for name in announced or [])
    assert "RS256" in found["sign-in: keys"][2]


def test_a_key_verifies_what_its_kind_its_curve_and_its_own_word_allow() -> None:
    assert algorithms_of(RSAKey.generate_key(2048)) == ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
    assert algorithms_of(RSAKey.generate_key(2048, {"alg": "PS384"})) == ("PS384",)
    assert algorithms_of(ECKey.generate_key("P-384")) == ("ES384",)
    assert algorithms_of(RSAKey.generate_key(2048, {"alg": "RSA-OAEP"})) == ()
