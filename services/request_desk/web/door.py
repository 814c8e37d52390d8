"""Find out who makes a call: by the session's cookie or by a token."""

import asyncio
import hmac
import secrets
from dataclasses import dataclass

import structlog
from starlette.requests import HTTPConnection

from services.request_desk.web.faults import UnknownCallerError
from services.request_desk.web.identity import Identity, identity_of, local_identity
from services.request_desk.web.origin import check_host, check_origin
from services.request_desk.web.provider import OidcProvider, Provider
from services.request_desk.web.sessions import Sessions
from services.request_desk.web.settings import LocalSignIn, OidcSignIn, WebSettings

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who makes a call, and how that is known."""

    identity: Identity
    by_cookie: bool


class Door:
    """Knows who makes a call.

    Parameters
    ----------
    settings
        Who may come in.
    base_url
        Our own origin.
    sessions
        Reads cookies.
    provider
        Verifies tokens; None for the local sign-in.
    """

    def __init__(
        self, *, settings: WebSettings, base_url: str, sessions: Sessions, provider: Provider | None = None
    ) -> None:
        self.sign_in = settings.sign_in
        self.base_url = base_url
        self.sessions = sessions
        self._provider = provider
        self._secure = base_url.startswith("https://")
        self.local_key = _local_key(self.sign_in)

    @property
    def provider(self) -> Provider:
        """The provider that people sign in at."""
        assert self._provider is not None, "there is a provider wherever people sign in at one"
        return self._provider

    @property
    def is_secure(self) -> bool:
        """Whether cookies travel over https only."""
        return self._secure

    @property
    def session_cookie(self) -> str:
        """Name of the session's cookie; ``__Host-`` binds it to this very host (RFC 6265bis)."""
        return "__Host-alma-restore" if self._secure else "alma-restore"

    @property
    def attempt_cookie(self) -> str:
        """Name of the cookie of a sign-in that has begun."""
        return f"{self.session_cookie}-sign-in"

    def own_origin(self, call: HTTPConnection) -> str:
        """Return our origin as this caller sees it; this machine has several names for itself."""
        if isinstance(self.sign_in, LocalSignIn):
            return f"{call.url.scheme}://{call.headers.get('host', '')}"
        return self.base_url

    def check_host(self, call: HTTPConnection) -> None:
        """Refuse a call by a foreign name for this machine, where only this machine is let in."""
        if isinstance(self.sign_in, LocalSignIn):
            check_host(call.headers.get("host", ""))

    async def find(self, call: HTTPConnection) -> Caller | None:
        """Tell who makes a call; None if it names nobody.

        Raises
        ------
        UnknownCallerError
            If it brings a token that is not valid.
        AwayError
            If the token cannot be verified now.
        """
        self.check_host(call)
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        if kind:
            if kind.lower() != "bearer":
                raise UnknownCallerError("send a token: Authorization: Bearer …", reason="not_bearer")
            return Caller(identity=await self._by_token(token.strip()), by_cookie=False)
        session = self.sessions.find(call.cookies.get(self.session_cookie, ""))
        return None if session is None else Caller(identity=session.identity, by_cookie=True)

    async def let_in(self, call: HTTPConnection) -> Identity:
        """Tell who makes a call, and check that the caller's own page made it.

        Raises
        ------
        UnknownCallerError
            If it is nobody.
        RefusedError
            If another site's page made it.
        """
        caller = await self.find(call)
        if caller is None:
            raise UnknownCallerError("sign in, or send a token: Authorization: Bearer …", reason="nobody")
        method = str(call.scope.get("method", "GET"))
        check_origin(method, call.headers, own=self.own_origin(call), by_cookie=caller.by_cookie)
        return caller.identity

    async def _by_token(self, token: str) -> Identity:
        if isinstance(self.sign_in, LocalSignIn):
            if not self.is_local_key(token):
                raise UnknownCallerError("the token is not the one of this start", reason="local_key")
            return local_identity(self.sign_in)
        claims = await asyncio.to_thread(self.provider.verify, token, audience=self.sign_in.audience)
        return identity_of(claims, self.sign_in)

    def is_local_key(self, key: str) -> bool:
        """Whether this is the key of the local sign-in."""
        return hmac.compare_digest(key.encode(), self.local_key.encode())


def make_door(*, settings: WebSettings, base_url: str) -> Door:
    """Make the door that settings ask for."""
    sessions = Sessions(secret=settings.session_secret, lifetime=settings.session_hours * 3600)
    provider = OidcProvider(settings=settings.sign_in) if isinstance(settings.sign_in, OidcSignIn) else None
    return Door(settings=settings, base_url=base_url, sessions=sessions, provider=provider)


def _local_key(sign_in: LocalSignIn | OidcSignIn) -> str:
    if isinstance(sign_in, LocalSignIn) and sign_in.key is not None:
        return sign_in.key.get_secret_value()
    return secrets.token_urlsafe(24)
