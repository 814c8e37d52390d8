"""A desk, a real Chromium, and windows of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.support.chromium import chromium
from tests.support.console_window import Window
from tests.support.desk_site import DeskSite, with_deliveries


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def site(tmp_path: Path) -> Iterator[DeskSite]:
    with DeskSite(tmp_path, deliveries=with_deliveries) as site:
        yield site


@pytest.fixture
def window(site: DeskSite, browser: Browser) -> Iterator[Callable[..., Window]]:
    opened: list[tuple[Window, BrowserContext]] = []

    def open_window(**options: object) -> Window:
        context = browser.new_context(**options)  # type: ignore[arg-type]  # Playwright's own keywords
        opened.append((Window(site, context), context))
        return opened[-1][0]

    yield open_window
    for made, context in opened:
        context.close()
        assert made.complaints.found == []
