"""What a route asks before it does anything: who calls, in which role, from which page, how often.

`current_user` is the one dependency for "somebody is signed in"; `operator` and `submitter` add a role.
All of them check the origin of calls that change something, and count calls.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

import structlog
from fastapi import Depends, Request

from services.request_desk.deliveries.base import Asker
from services.request_desk.web.door import Door
from services.request_desk.web.faults import RefusedError
from services.request_desk.web.identity import Identity, Role
from services.request_desk.web.limits import RateLimits
from services.request_desk.web.origin import SAFE_METHODS, check_origin


def door_of(request: Request) -> Door:
    """Return what knows the callers of this application."""
    found: Door = request.app.state.door
    return found


def limits_of(request: Request) -> RateLimits:
    """Return what counts the calls of this application."""
    found: RateLimits = request.app.state.limits
    return found


DoorHere = Annotated[Door, Depends(door_of)]


def client_of(request: Request) -> str:
    """Return the address that a call comes from."""
    return request.client.host if request.client else "unknown"


def check_visitor(request: Request) -> None:
    """Count a call of somebody who is not known yet."""
    limits_of(request).count_visitor(client_of(request))


def check_own_page(request: Request) -> None:
    """Check that a call that changes something comes from our own page, whoever makes it."""
    door = door_of(request)
    check_origin(request.method, request.headers, own=door.own_origin(request), by_cookie=True)


def signed_in(request: Request) -> Identity | None:
    """Return who is signed in by cookie, if anybody is, where that opens nothing: it is shown, or noted."""
    door = door_of(request)
    session = door.sessions.find(request.cookies.get(door.session_cookie, ""))
    return None if session is None else session.identity


def asker_of(request: Request) -> Asker:
    """Say who fetches a file, for the ledger: the address alone opens the door, whoever comes."""
    user = signed_in(request)
    return Asker(account=user.account if user else None, client=client_of(request))


async def current_user(request: Request) -> Identity:
    """Return who is signed in, by cookie or token, after origin and rate were checked.

    Raises
    ------
    UnknownCallerError
        If nobody is signed in.
    RefusedError
        If another site's page made the call, or who makes it has no role at all.
    TooManyError
        If there were too many calls.
    """
    known: Identity | None = getattr(request.state, "identity", None)
    if known is not None:
        return known
    try:
        identity = await door_of(request).let_in(request)
    except Exception:  # whatever is wrong with the token, trying it counts; raised again
        check_visitor(request)
        raise
    structlog.contextvars.bind_contextvars(subject=identity.subject)
    if not identity.roles:
        raise RefusedError("you are signed in, but have no role here: ask the observatory for one", reason="no_role")
    limits_of(request).count(identity.subject, changes=request.method not in SAFE_METHODS)
    request.state.identity = identity
    return identity


def needs(*roles: Role) -> Callable[[Request], Awaitable[Identity]]:
    """Make the dependency that lets in only who has one of these roles."""

    async def check(request: Request) -> Identity:
        identity = await current_user(request)
        if not identity.is_any(*roles):
            raise RefusedError(
                f"this is for {' and '.join(sorted(f'{role}s' for role in roles))}",
                reason=f"needs_{'_or_'.join(roles)}",
            )
        return identity

    return check


operator = needs(Role.OPERATOR)

User = Annotated[Identity, Depends(current_user)]
Operator = Annotated[Identity, Depends(operator)]
