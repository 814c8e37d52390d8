"""Web servers on loopback, with the miniature provider and all else that is behind them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from fastapi import APIRouter

from services.request_desk.ledger.migrating import migrate
from services.request_desk.ledger.store import SqlLedger
from services.request_desk.web.access import Operator, User
from services.request_desk.web.app import create_app
from services.request_desk.web.parts import make_parts
from services.request_desk.web.server import WebServer, base_url_of, bind
from services.request_desk.web.settings import LocalSignIn, OidcSignIn, WebSettings
from shared.bus.memory import MemoryBus
from shared.objects.directory import DirectoryStore
from tests.support.browser import Browser
from tests.support.desk_site import DeskSite, with_deliveries
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
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve the desk and three pages; returns the address that is listened on."""
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path / 'ledger.db'}"
        migrate(url)
        ledger = stack.enter_context(closing(SqlLedger(url=url)))
        objects = stack.enter_context(closing(DirectoryStore(tmp_path / "objects")))
        bus = stack.enter_context(closing(MemoryBus()))

        def serving(settings: WebSettings) -> str:
            listening = bind(settings)
            parts = make_parts(
                settings=settings,
                base_url=base_url_of(settings, listening),
                ledger=ledger,
                objects=objects,
                publish=bus.publish,
            )
            stack.callback(parts.close)
            app = create_app(parts=parts)
            app.include_router(_pages())
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


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskSite]:
    """A desk with real ledger, store and bus."""
    with DeskSite(tmp_path, deliveries=with_deliveries) as site:
        yield site
