"""The OpenID Connect provider as we meet it over HTTP: its configuration, its keys, its tokens."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Any, Protocol
from urllib.parse import urlencode

import structlog
import urllib3
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, ValidationError

from services.request_desk.web.faults import AwayError, UnknownCallerError
from services.request_desk.web.settings import OidcSignIn
from services.request_desk.web.tokens import Claims, UnknownKeyError, verify

log = structlog.get_logger()

_LEAST_SECONDS = 5.0
"""Between two fetches of keys: whoever sends tokens with invented keys shall not make us ask all the time."""

_HEADERS = {"GET": {"Accept": "application/json"}, "POST": {"Content-Type": "application/x-www-form-urlencoded"}}


class ProviderMetadata(BaseModel):
    """What OpenID Connect Discovery 1.0 tells of a provider, as far as we need it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None = None
    id_token_signing_alg_values_supported: tuple[str, ...] = ()


class OtherIssuerError(AwayError):
    """What answers at the issuer's address says that it is another one: tokens would name that."""


class Provider(Protocol):
    """Knows who people and programs are."""

    def metadata(self) -> ProviderMetadata:
        """Return the provider's endpoints."""

    def redeem(self, form: dict[str, str]) -> str:
        """Exchange an authorization code for tokens at the token endpoint; return the ID token."""

    def verify(self, token: str, *, audience: str) -> Claims:
        """Return the claims of a token that the provider made for this audience and that is valid now."""


class OidcProvider:
    """Asks the provider over HTTP, and remembers its configuration and keys for a while.

    Parameters
    ----------
    settings
        Where it is, and who we are there.
    clock
        Counts seconds.
    """

    def __init__(self, *, settings: OidcSignIn, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(settings.timeout_seconds), retries=urllib3.Retry(1, redirect=0), maxsize=4
        )
        self._lock = Lock()
        self._metadata: ProviderMetadata | None = None
        self._keys: KeySet | None = None
        self._fetched = 0.0

    def metadata(self) -> ProviderMetadata:
        """Return the provider's endpoints; see `Provider.metadata`.

        Raises
        ------
        AwayError
            If it does not answer.
        OtherIssuerError
            If it tells another issuer's.
        """
        with self._lock:
            return self._known_metadata()

    def keys(self) -> KeySet:
        """Return the keys that verify signatures, as they were told a while ago at most.

        Raises
        ------
        AwayError
            If there are none.
        """
        with self._lock:
            if self._keys is not None and self._clock() - self._fetched < self._settings.keys_seconds:
                return self._keys
            return self._fetch_keys()

    def redeem(self, form: dict[str, str]) -> str:
        """Exchange an authorization code; see `Provider.redeem`.

        Raises
        ------
        UnknownCallerError
            If the provider does not take the code.
        AwayError
            If it does not answer.
        """
        fields = dict(form, client_id=self._settings.client_id, grant_type="authorization_code")
        if self._settings.client_secret is not None:
            fields["client_secret"] = self._settings.client_secret.get_secret_value()
        status, answer = self._ask("POST", self.metadata().token_endpoint, fields)
        if status != 200 or not isinstance(answer.get("id_token"), str):
            why = str(answer.get("error", status))[:100]
            raise UnknownCallerError("the sign-in could not be completed: please begin again", reason=f"code: {why}")
        return str(answer["id_token"])

    def verify(self, token: str, *, audience: str) -> Claims:
        """Verify a token; keys that are not known are fetched, once in a while; see `Provider.verify`.

        Raises
        ------
        UnknownCallerError
            If it is not valid.
        AwayError
            If there are no keys to verify it by.
        """
        for keys in (self.keys(), None):
            try:
                return self._verified(token, keys or self._new_keys(), audience)
            except UnknownKeyError:
                if keys is None:
                    raise
        raise AssertionError("unreachable: the second round returns or raises")

    def _verified(self, token: str, keys: KeySet, audience: str) -> Claims:
        issuer, leeway = self._settings.issuer, self._settings.leeway_seconds
        return verify(token, keys, issuer=issuer, audience=audience, leeway=leeway)

    def _new_keys(self) -> KeySet:
        """Return keys that are newer than a moment ago."""
        with self._lock:
            if self._keys is not None and self._clock() - self._fetched < _LEAST_SECONDS:
                return self._keys
            return self._fetch_keys()

    def _fetch_keys(self) -> KeySet:
        status, answer = self._ask("GET", self._known_metadata().jwks_uri)
        try:
            usable = [key for key in answer["keys"] if key.get("use", "sig") == "sig"]
            self._keys = KeySet.import_key_set({"keys": usable})
        except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise AwayError("the sign-in service gives no keys now", reason=f"keys, {status}: {error!r}") from error
        self._fetched = self._clock()
        log.info("provider_keys_fetched", issuer=self._settings.issuer, keys=len(self._keys.keys))
        return self._keys

    def _known_metadata(self) -> ProviderMetadata:
        if self._metadata is None:
            address = f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"
            status, answer = self._ask("GET", address)
            try:
                found = ProviderMetadata.model_validate(answer)
            except ValidationError as error:
                raise AwayError(
                    "the sign-in service does not answer", reason=f"discovery at {address}, {status}: {answer}"[:300]
                ) from error
            if found.issuer != self._settings.issuer:
                raise OtherIssuerError("the sign-in service is another one", reason=f"issuer is {found.issuer!r}")
            self._metadata = found
        return self._metadata

    def _ask(self, method: str, address: str, fields: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
        try:
            body = None if fields is None else urlencode(fields)
            answer = self._http.request(method, address, body=body, headers=_HEADERS[method])
            found = answer.json()
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise AwayError("the sign-in service does not answer", reason=f"{address}: {error!r}") from error
        return answer.status, found if isinstance(found, dict) else {}

    def close(self) -> None:
        """Release connections."""
        self._http.clear()
