"""Examines who lets people in at the web server: the sign-in provider, its keys, and how it signs."""

from contextlib import closing

from services.request_desk.web.faults import AwayError
from services.request_desk.web.provider import OidcProvider, OtherIssuerError, ProviderMetadata
from services.request_desk.web.settings import LocalSignIn, OidcSignIn, WebSettings
from services.request_desk.web.tokens import ALGORITHMS, algorithms_of
from shared.findings import Findings

_ISSUER = "ALMA_RESTORE_REQUEST_DESK_WEB_SIGN_IN__ISSUER"
_SIGN = "let the provider sign our client's tokens by RS256, PS256 or ES256 (Keycloak: the client's advanced settings)"


def examine_sign_in(settings: WebSettings) -> Findings:
    """Ask the provider for what every sign-in asks of it, but for a person; nobody is signed in."""
    findings = Findings("sign-in")
    match settings.sign_in:
        case LocalSignIn():
            findings.ok("provider", "none is asked: one person signs in at this machine by its own key")
        case OidcSignIn() as oidc:
            with closing(OidcProvider(settings=oidc)) as provider:
                _examine_provider(findings, provider, oidc)
    return findings


def _examine_provider(findings: Findings, provider: OidcProvider, settings: OidcSignIn) -> None:
    address = f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        metadata = provider.metadata()
    except OtherIssuerError as error:
        findings.ok("provider", f"{address} answers")
        findings.fail(
            "issuer",
            f"{error.reason}, and the setting says {settings.issuer!r}",
            f"set {_ISSUER} to just what the provider calls itself, or give the provider the name that users reach it "
            "by (Keycloak: its hostname): every token would be refused",
        )
        return
    except AwayError as error:
        advice = (
            f"check {_ISSUER} (Keycloak: https://HOST/realms/REALM) and that the network and certificates of this "
            f"machine let it ask: {address} has to answer with JSON"
        )
        findings.fail("provider", error.reason, advice)
        return
    findings.ok("provider", f"{address} answers")
    findings.ok("issuer", f"{metadata.issuer}, as the setting says")
    _examine_keys(findings, provider, metadata)


def _examine_keys(findings: Findings, provider: OidcProvider, metadata: ProviderMetadata) -> None:
    """See whether there is a key for a way of signing that the provider has and we take."""
    try:
        keys = provider.keys().keys
    except AwayError as error:
        findings.fail("keys", error.reason, f"let this machine ask for {metadata.jwks_uri}, and give the realm a key")
        return
    usable = {algorithm for key in keys for algorithm in algorithms_of(key)}
    announced = metadata.id_token_signing_alg_values_supported
    if announced:
        usable &= set(announced)
    if usable:
        findings.ok("keys", f"{len(keys)} that verify {', '.join(each for each in ALGORITHMS if each in usable)}")
    else:
        kinds = ", ".join(f"{key.key_type} for {key.alg or 'any algorithm'}" for key in keys)
        told = f"; it signs by {', '.join(announced)}" if announced else ""
        findings.fail("keys", f"none of its keys verifies what is taken here: {kinds}{told}", _SIGN)
