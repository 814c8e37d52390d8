"""A real Chromium for tests, which talks to loopback only and is judged by axe-core."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium without a screen and with a profile of its own."""
    program = shutil.which("chromium")
    if program is None:
        raise FileNotFoundError("Chromium is missing: install it by `apt-get install chromium`")
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as home, sync_playwright() as tool:
        browser = tool.chromium.launch(
            executable_path=program, args=list(FLAGS), env={**os.environ, "HOME": home, "XDG_CONFIG_HOME": home}
        )
        yield browser
        browser.close()


class Complaints:
    """What pages complain about: errors of scripts, and all that the browser writes to its console as an error."""

    def __init__(self, context: BrowserContext) -> None:
        self.found: list[str] = []
        context.on("console", self._note)
        context.on("weberror", lambda error: self.found.append(str(error.error)))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.found.append(f"{message.text} ({message.location['url']})")


def obstacles(page: Page) -> list[str]:
    """List what stands in the way of people who do not see, or use no mouse, as axe-core finds it (WCAG 2 AA)."""
    # The judge itself is a script that the page's own policy would not let in.
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]})
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:200]}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]
