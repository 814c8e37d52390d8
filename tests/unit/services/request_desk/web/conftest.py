"""A web server on loopback with a route of its own, and the miniature provider."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from fastapi import APIRouter

from services.request_desk.web.access import Operator, User
from services.request_desk.web.app import create_app
from services.request_desk.web.server import WebServer, base_url_of, bind
from services.request_desk.web.settings import LocalSignIn, OidcSignIn, WebSettings
from tests.support.browser import Browser
from tests.support.oidc_provider import AUDIENCE, CLIENT, CLIENT_SECRET, OidcProviderServer

Serve = Callable[[WebSettings], str]


def _pages() -> APIRouter:
    router = APIRouter()

    @router.get("/who")
    async def who(user: User) -> dict[str, object]:
        return user.model_dump(mode="json")

    @router.post("/change")
    async def change(user: User) -> dict[str, str]:
        return {"by": user.account}

    @router.get("/operators")
    async def operators(user: Operator) -> dict[str, str]:
        return {"by": user.account}

    return router


@pytest.fixture
def provider() -> Iterator[OidcProviderServer]:
    with OidcProviderServer() as server:
        yield server


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve the sign-in and three pages; returns the address that is listened on."""
    with ExitStack() as stack:

        def serving(settings: WebSettings) -> str:
            listening = bind(settings)
            app = create_app(settings=settings, base_url=base_url_of(settings, listening), routers=[_pages()])
            server = WebServer(app=app, listening=listening, settings=settings)
            stack.callback(server.close)
            server.begin()
            return base_url_of(settings.model_copy(update={"base_url": None}), listening)

        yield serving


@pytest.fixture
def oidc(provider: OidcProviderServer) -> WebSettings:
    sign_in = OidcSignIn(issuer=provider.issuer, client_id=CLIENT, client_secret=CLIENT_SECRET, audience=AUDIENCE)
    return WebSettings(port=0, sign_in=sign_in)


@pytest.fixture
def local() -> WebSettings:
    return WebSettings(port=0, sign_in=LocalSignIn(key="the key of this machine"))


@pytest.fixture
def browse() -> Iterator[Callable[..., Browser]]:
    """Open browsers that are closed at the end."""
    with ExitStack() as stack:
        yield lambda address, **more: stack.enter_context(Browser(address, **more))
