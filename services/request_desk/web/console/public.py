"""Pages that need no sign-in: the start, the files that pages need, and deliveries, which their address opens."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.request_desk.deliveries.base import DeliveryPhase
from services.request_desk.web.access import check_visitor, door_of, signed_in
from services.request_desk.web.console.pages import ASSETS, asset, page
from services.request_desk.web.faults import NotThereError
from services.request_desk.web.identity import Identity
from services.request_desk.web.parts import PartsHere
from shared.deliveries import README

router = APIRouter(include_in_schema=False)

_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


def visitor(request: Request) -> Identity | None:
    """Return who is signed in here, if anybody is."""
    check_visitor(request)
    return signed_in(request)


Visitor = Annotated[Identity | None, Depends(visitor)]


@router.get("/")
async def start(request: Request, user: Visitor) -> Response:
    """Show what this is, or lead to one's own requests."""
    if user is not None:
        return RedirectResponse("/requests", status_code=303)
    return page(request, "start.html", user=None, is_local=door_of(request).sign_in.kind == "local")


@router.get("/assets/{digest}/{name}")
async def assets(digest: str, name: str) -> Response:
    """Give a file that pages need."""
    if name not in ASSETS or not digest.isalnum():
        raise NotThereError("there is no such file", reason="unknown_asset")
    return Response(asset(name), media_type=ASSETS[name], headers=_FOR_EVER)


@router.get("/favicon.ico")
async def icon() -> Response:
    """Say that there is no icon: browsers ask for one where they show a text, such as a log."""
    return Response(status_code=204, headers=_FOR_EVER)


@router.get("/deliveries/{token}")
@router.get("/deliveries/{token}/")
async def delivery(request: Request, token: str, user: Visitor, parts: PartsHere) -> HTMLResponse:
    """Show a delivery to whoever has its address."""
    if parts.deliveries is None:
        raise NotThereError("deliveries are not served here", reason="no_deliveries")
    found = await parts.workers.do(parts.deliveries.find, token)
    record = await parts.workers.do(parts.ledger.request, found.request_id)
    is_own = (
        user is not None
        and record is not None
        and (user.sees_all or record.belongs_to(account=user.account, email=user.email))
    )
    readme = None
    if found.phase is DeliveryPhase.OPEN:
        readme = await parts.workers.do(parts.deliveries.text, token, README)
    return page(request, "delivery.html", user=user, delivery=found, is_own=is_own, readme=readme)
