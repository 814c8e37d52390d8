"""Sessions and half-done sign-ins, kept in signed cookies, so that any replica knows them."""

import hashlib
import secrets
import time
from collections.abc import Callable
from threading import Lock
from typing import Literal, TypeVar
from uuid import uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from services.request_desk.web.identity import Identity

SIGN_IN_SECONDS = 600
"""How long somebody may take at the provider."""


class Session(BaseModel):
    """Somebody who is signed in."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["session"] = "session"
    id: str
    identity: Identity
    expires: float


class Attempt(BaseModel):
    """A sign-in that has begun: what the provider's answer is checked against (RFC 7636, OpenID Connect Core 3.1.2).

    Attributes
    ----------
    state
        Comes back in the address: this browser began it.
    nonce
        Comes back within the token: it was made for this attempt.
    verifier
        Proves at the exchange that the code was asked for by us.
    back
        Where to go afterwards.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["attempt"] = "attempt"
    state: str
    nonce: str
    verifier: str
    back: str
    expires: float


_Kind = TypeVar("_Kind", Session, Attempt)


class Sessions:
    """Makes and reads the signed values of cookies.

    Parameters
    ----------
    secret
        Signs them; one for this process if None.
    lifetime
        Seconds that a session lasts.
    clock
        Tells the time, seconds since 1970.
    """

    def __init__(self, *, secret: SecretStr | None, lifetime: float, clock: Callable[[], float] = time.time) -> None:
        text = secret.get_secret_value() if secret else secrets.token_urlsafe(48)
        # Derived, so that the same secret used for anything else does not sign sessions.
        self._key = OctKey.import_key(hashlib.sha256(b"alma-restore session\x00" + text.encode()).digest())
        self.lifetime = lifetime
        self._clock = clock
        self._lock = Lock()
        self._ended: dict[str, float] = {}

    def begin(self, identity: Identity) -> str:
        """Make the cookie's value for somebody who has signed in."""
        return self._sign(Session(id=uuid4().hex, identity=identity, expires=self._clock() + self.lifetime))

    def find(self, value: str) -> Session | None:
        """Read a session; None if the value is not ours, too old, or signed out."""
        session = self._read(value, Session)
        return None if session is None or session.id in self._ended else session

    def end(self, value: str) -> None:
        """Sign a session out: its cookie is worth nothing here any more."""
        session = self._read(value, Session)
        if session is None:
            return
        with self._lock:
            now = self._clock()
            self._ended = {name: expires for name, expires in self._ended.items() if expires > now}
            self._ended[session.id] = session.expires

    def attempt(self, back: str) -> tuple[Attempt, str]:
        """Begin a sign-in; return it with its cookie's value."""
        attempt = Attempt(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(64),
            back=back,
            expires=self._clock() + SIGN_IN_SECONDS,
        )
        return attempt, self._sign(attempt)

    def find_attempt(self, value: str) -> Attempt | None:
        """Read a sign-in that has begun; None if the value is not ours or too old."""
        return self._read(value, Attempt)

    def _sign(self, content: Session | Attempt) -> str:
        return jwt.encode({"alg": "HS256"}, content.model_dump(mode="json"), self._key)

    def _read(self, value: str, kind: type[_Kind]) -> _Kind | None:
        try:
            found = kind.model_validate(jwt.decode(value, self._key, algorithms=["HS256"]).claims)
        except (JoseError, ValidationError, ValueError, TypeError):
            return None
        return found if found.expires > self._clock() else None
