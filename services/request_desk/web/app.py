"""Make the application: everything that is served over HTTP, from parts that are given to it."""

from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.middleware import Middleware

from services.request_desk.deliveries.routes import deliveries_router
from services.request_desk.web import datalink, sign_in
from services.request_desk.web.access import asker_of
from services.request_desk.web.acting import Acting
from services.request_desk.web.api import foretelling, live, operations, requests
from services.request_desk.web.console import operations as console_operations
from services.request_desk.web.console import own, public
from services.request_desk.web.door import Door, make_door
from services.request_desk.web.errors import add_handlers
from services.request_desk.web.limits import RateLimits
from services.request_desk.web.middleware import CallLog, LongestBody, SecurityHeaders, security_headers
from services.request_desk.web.operating import Operating
from services.request_desk.web.parts import Parts
from services.request_desk.web.settings import OidcSignIn, WebSettings
from services.request_desk.web.uws import routes as uws
from services.request_desk.web.uws.service import Jobs

DESCRIPTION = """\
Calibrated ALMA data on request. Sign in with a browser, or send a token: `Authorization: Bearer …`.
Errors are problem documents (RFC 9457) with a stable `code`.
"""


_ROUTERS = (
    sign_in.router,
    requests.router,
    live.router,
    foretelling.router,
    operations.router,
    datalink.router,
    uws.router,
    public.router,
    own.router,
    console_operations.router,
)


def create_app(*, parts: Parts, door: Door | None = None) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    parts
        What it stands on; made by `make_parts`.
    door
        Knows who makes a call; made from the settings if None.
    """
    settings = parts.settings
    door = door or make_door(settings=settings, base_url=parts.base_url)
    app = FastAPI(
        title="alma-restore",
        version="1",
        description=DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        # A redirect would name the host that the caller claims to have asked.
        redirect_slashes=False,
        # `CallLog` records calls: FastAPI would write codes and addresses that open something into traces.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        middleware=_middleware(settings, door),
    )
    app.state.door = door
    app.state.limits = RateLimits(settings=settings)
    app.state.parts = parts
    app.state.acting = acting = Acting(parts)
    app.state.jobs = Jobs(parts=parts, acting=acting)
    app.state.operating = Operating(parts)
    add_handlers(app)
    if parts.deliveries is not None:
        app.include_router(deliveries_router(deliveries=parts.deliveries, who=asker_of))
    for router in _ROUTERS:
        app.include_router(router)
    return app


def _middleware(settings: WebSettings, door: Door) -> list[Middleware]:
    provider = door.sign_in.issuer if isinstance(door.sign_in, OidcSignIn) else None
    parts = urlsplit(provider or "")
    headers = security_headers(
        is_secure=door.is_secure, provider=f"{parts.scheme}://{parts.netloc}" if provider else None
    )
    return [
        Middleware(CallLog),
        Middleware(SecurityHeaders, headers=headers),
        Middleware(LongestBody, most=settings.body_bytes),
    ]
