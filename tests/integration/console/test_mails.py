"""Mails as a reader's phone shows them."""

from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ViewportSize

GOLDENS = Path(__file__).parents[2] / "golden" / "mails"
PHONE = ViewportSize(width=390, height=844)


@pytest.mark.parametrize("path", sorted(GOLDENS.glob("*.eml")), ids=lambda path: path.stem)
def test_a_mail_fits_a_phone(path: Path, browser: Browser) -> None:
    html = message_from_bytes(path.read_bytes(), policy=default).get_body(("html",))
    assert html is not None
    context = browser.new_context(viewport=PHONE, is_mobile=True)
    page = context.new_page()
    page.set_content(html.get_content())
    assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [PHONE["width"]] * 2
    context.close()
