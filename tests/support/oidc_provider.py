"""A miniature OpenID Connect provider: discovery, keys that can be changed, sign-in with PKCE, client credentials."""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import Key, KeySet, RSAKey

CLIENT = "alma-restore"
CLIENT_SECRET = "the desk's secret at the provider"
AUDIENCE = "alma-restore-api"


@dataclass(frozen=True)
class Person:
    """Somebody with an account at the provider."""

    account: str
    name: str
    email: str
    roles: tuple[str, ...] = ()
    email_verified: bool = True

    @property
    def claims(self) -> dict[str, Any]:
        """What a token says of the person, as Keycloak words it."""
        return {
            "sub": f"sub-of-{self.account}",
            "preferred_username": self.account,
            "name": self.name,
            "email": self.email,
            "email_verified": self.email_verified,
            "realm_access": {"roles": list(self.roles)},
        }


@dataclass
class _Code:
    person: Person
    challenge: str
    nonce: str
    redirect_uri: str


@dataclass
class OidcProviderServer:
    """Serves one realm on loopback; a context manager.

    Attributes
    ----------
    person
        Who signs in next: there is no page that asks.
    asked
        How often each path was asked for.
    configuration
        What discovery tells otherwise than it should.
    """

    person: Person | None = None
    programs: dict[str, tuple[str, Person]] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._codes: dict[str, _Code] = {}
        self.change_keys()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider._get(self)

            def do_POST(self) -> None:
                provider._post(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), name="oidc-provider", daemon=True)
        self._thread.start()
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}/realms/ALMA"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def change_keys(self) -> None:
        """Sign with a new key from now on; the old one is told no more."""
        self._key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig", "alg": "RS256"})
        self.told_keys: list[Key] = [self._key]

    def token(self, person: Person, *, lifetime: float = 300.0, **claims: Any) -> str:
        """Make an access token as a program brings it; claims given here win, and None leaves one out."""
        now = int(time.time())
        made = {"iss": self.issuer, "aud": [AUDIENCE, "account"], "iat": now, "exp": now + lifetime, **person.claims}
        return self.sign({name: value for name, value in {**made, **claims}.items() if value is not None})

    def sign(self, claims: dict[str, Any], *, header: dict[str, Any] | None = None) -> str:
        """Sign claims with the provider's key."""
        return jwt.encode({"alg": "RS256", "kid": self._key.kid, **(header or {})}, claims, self._key)

    @property
    def public_key_pem(self) -> bytes:
        """The public key, which anybody may know."""
        return self._key.as_pem(private=False)

    def _get(self, call: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(call.path)
        self._count(parts.path)
        if parts.path.endswith("/.well-known/openid-configuration"):
            _answer(call, 200, self._configuration())
        elif parts.path.endswith("/certs"):
            _answer(call, 200, dict(KeySet(self.told_keys).as_dict(private=False)))
        elif parts.path.endswith("/auth"):
            self._authorize(call, {name: values[0] for name, values in parse_qs(parts.query).items()})
        else:
            _answer(call, 404, {"error": "not_found"})

    def _post(self, call: BaseHTTPRequestHandler) -> None:
        self._count(urlsplit(call.path).path)
        body = call.rfile.read(int(call.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        answers = {"authorization_code": self._redeem, "client_credentials": self._credentials}
        status, answer = answers[form["grant_type"]](form)
        _answer(call, status, answer)

    def _count(self, path: str) -> None:
        name = path.rpartition("/")[2]
        self.asked[name] = self.asked.get(name, 0) + 1

    def _configuration(self) -> dict[str, Any]:
        base = f"{self.issuer}/protocol/openid-connect"
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{base}/auth",
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/certs",
            "end_session_endpoint": f"{base}/logout",
            "code_challenge_methods_supported": ["S256"],
            "id_token_signing_alg_values_supported": ["RS256"],
            **self.configuration,
        }

    def _authorize(self, call: BaseHTTPRequestHandler, asked: dict[str, str]) -> None:
        assert (asked["response_type"], asked["code_challenge_method"], asked["client_id"]) == ("code", "S256", CLIENT)
        back: dict[str, str] = {"state": asked["state"]}
        if self.person is None:
            back["error"] = "access_denied"
        else:
            back["code"] = secrets.token_urlsafe()
            self._codes[back["code"]] = _Code(
                self.person, asked["code_challenge"], asked["nonce"], asked["redirect_uri"]
            )
        call.send_response(302)
        call.send_header("Location", f"{asked['redirect_uri']}?{urlencode(back)}")
        call.end_headers()

    def _redeem(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        code = self._codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if code is None or code.challenge != challenge or code.redirect_uri != form["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        if (form["client_id"], form.get("client_secret")) != (CLIENT, CLIENT_SECRET):
            return 401, {"error": "invalid_client"}
        token = self.token(code.person, aud=CLIENT, azp=CLIENT, nonce=code.nonce)
        return 200, {"id_token": token, "access_token": self.token(code.person), "token_type": "Bearer"}

    def _credentials(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        secret, program = self.programs.get(form["client_id"], ("", None))
        if program is None or secret != form["client_secret"]:
            return 401, {"error": "invalid_client"}
        return 200, {"access_token": self.token(program), "token_type": "Bearer", "expires_in": 300}


def _answer(call: BaseHTTPRequestHandler, status: int, answer: dict[str, Any]) -> None:
    body = json.dumps(answer).encode()
    call.send_response(status)
    call.send_header("Content-Type", "application/json")
    call.send_header("Content-Length", str(len(body)))
    call.end_headers()
    call.wfile.write(body)
