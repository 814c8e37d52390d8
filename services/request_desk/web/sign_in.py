"""Sign-in and sign-out: the authorization code flow with PKCE, or this machine's own key."""

import asyncio
import base64
import hashlib
import hmac
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from services.request_desk.web.access import DoorHere, check_own_page, check_visitor
from services.request_desk.web.door import Door
from services.request_desk.web.faults import RefusedError, UnknownCallerError
from services.request_desk.web.identity import Identity, identity_of, local_identity
from services.request_desk.web.origin import local_path
from services.request_desk.web.sessions import SIGN_IN_SECONDS, Attempt
from services.request_desk.web.settings import LocalSignIn, OidcSignIn

log = structlog.get_logger()
router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
async def begin(request: Request, door: DoorHere, key: str = "", back: str = "/") -> Response:
    """Send the browser to the provider; with the local sign-in, take the key and be done."""
    check_visitor(request)
    door.check_host(request)
    match door.sign_in:
        case LocalSignIn() as local:
            if not door.is_local_key(key):
                raise UnknownCallerError(
                    "open the address with the key that was shown when the desk started", reason="local_key"
                )
            return _signed_in(door, local_identity(local), back)
        case OidcSignIn() as settings:
            attempt, cookie = door.sessions.attempt(local_path(back))
            metadata = await asyncio.to_thread(door.provider.metadata)
            address = f"{metadata.authorization_endpoint}?{urlencode(_question(attempt, settings, door))}"
            answer = RedirectResponse(address, status_code=303)
            _set(answer, door, door.attempt_cookie, cookie, SIGN_IN_SECONDS)
            return answer


@router.get("/sign-in/return")
async def complete(request: Request, door: DoorHere, code: str = "", state: str = "", error: str = "") -> Response:
    """Take the provider's answer, exchange its code, and begin the session."""
    check_visitor(request)
    settings = door.sign_in
    if not isinstance(settings, OidcSignIn):
        raise RefusedError("nobody signs in at a provider here", reason="no_provider")
    attempt = door.sessions.find_attempt(request.cookies.get(door.attempt_cookie, ""))
    if attempt is None or not _same(attempt.state, state):
        raise RefusedError("this sign-in was not begun here, or too long ago: begin again", reason="sign_in_state")
    if error or not code:
        raise UnknownCallerError("the sign-in was not completed: begin again", reason=f"provider: {error[:100]!r}")
    form = {"code": code, "code_verifier": attempt.verifier, "redirect_uri": _return_address(door)}
    token = await asyncio.to_thread(door.provider.redeem, form)
    claims = await asyncio.to_thread(door.provider.verify, token, audience=settings.client_id)
    if not _same(attempt.nonce, str(claims.get("nonce", ""))):
        raise RefusedError("this sign-in was made for somebody else: begin again", reason="sign_in_nonce")
    if claims.get("azp", settings.client_id) != settings.client_id:
        raise RefusedError("this sign-in was made for another program: begin again", reason="sign_in_azp")
    answer = _signed_in(door, identity_of(claims, settings), attempt.back)
    answer.delete_cookie(door.attempt_cookie, path="/", secure=door.is_secure, httponly=True, samesite="lax")
    return answer


@router.post("/sign-out")
async def end(request: Request, door: DoorHere) -> Response:
    """End the session here; where the provider has a page for it, there too."""
    check_own_page(request)
    door.sessions.end(request.cookies.get(door.session_cookie, ""))
    answer = RedirectResponse(await _after_sign_out(door), status_code=303)
    answer.delete_cookie(door.session_cookie, path="/", secure=door.is_secure, httponly=True, samesite="lax")
    return answer


async def _after_sign_out(door: Door) -> str:
    if not isinstance(door.sign_in, OidcSignIn):
        return "/"
    metadata = await asyncio.to_thread(door.provider.metadata)
    if metadata.end_session_endpoint is None:
        return "/"
    question = {"client_id": door.sign_in.client_id, "post_logout_redirect_uri": f"{door.base_url}/"}
    return f"{metadata.end_session_endpoint}?{urlencode(question)}"


def _question(attempt: Attempt, settings: OidcSignIn, door: Door) -> dict[str, str]:
    digest = hashlib.sha256(attempt.verifier.encode()).digest()
    return {
        "response_type": "code",
        "client_id": settings.client_id,
        "redirect_uri": _return_address(door),
        "scope": settings.scope,
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }


def _return_address(door: Door) -> str:
    return f"{door.base_url}/sign-in/return"


def _signed_in(door: Door, identity: Identity, back: str) -> Response:
    log.info("signed_in", subject=identity.subject, roles=sorted(identity.roles))
    answer = RedirectResponse(local_path(back), status_code=303)
    _set(answer, door, door.session_cookie, door.sessions.begin(identity), int(door.sessions.lifetime))
    return answer


def _set(answer: Response, door: Door, name: str, value: str, seconds: int) -> None:
    answer.set_cookie(name, value, max_age=seconds, path="/", secure=door.is_secure, httponly=True, samesite="lax")


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode())
