"""Both parts of a mail say the same, and no name or ticket adds anything to it."""

from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path

import pytest

from contracts.messages import (
    DeliveryExpiring,
    MousRestorable,
    ReleaseGranted,
    ReleaseWithheld,
    RequestFailed,
    RequestRefused,
)
from shared.objects import ObjectStore
from tests.unit.services.notifier.mails import GOLDENS, MESSAGES, golden, handled, mail_text, plain_text


class TextOf(HTMLParser):
    """Collects the words of an HTML text, and its links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str | None] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.words += data.split()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name == "href"]


@pytest.mark.parametrize("path", sorted(GOLDENS.glob("*.eml")), ids=lambda path: str(path.stem))
def test_the_html_part_says_the_same_words(path: Path) -> None:
    mail = golden(path.name)
    part = mail.get_body(("html",))
    assert part is not None
    plain = plain_text(mail).replace("\n> ", "\n").replace("\n>", "\n")
    assert TextOf(part.get_content()).words == plain.split()


HOSTILE = "x\r\nBcc: mallory@example.org\r\n\r\n<script>alert(1)</script>\u2028Cc: m@example.org"


@pytest.mark.parametrize(
    "message", ["delivered", "failed", "withheld", "expiring", "restorable", "refused_calibrators"]
)
def test_a_hostile_name_or_ticket_adds_no_recipient_no_header_no_line_and_no_html(
    message: str, tmp_path: Path, objects: ObjectStore
) -> None:
    harmless = MESSAGES[message](objects)
    assert isinstance(
        harmless,
        ReleaseGranted | RequestFailed | ReleaseWithheld | RequestRefused | DeliveryExpiring | MousRestorable,
    )
    request = harmless.request.model_copy(update={"user_name": HOSTILE, "ticket": HOSTILE})
    folder = handled(harmless.model_copy(update={"request": request}), tmp_path, objects)
    mail = message_from_bytes(mail_text(folder).encode(), policy=default)
    assert "mallory@example.org" not in f"{mail['To']} {mail['Cc']} {mail['Bcc']}"
    assert len(mail["Subject"].splitlines()) == 1
    assert set(mail.keys()) == set(golden(f"{message}.eml").keys())
    html = mail.get_body(("html",))
    assert html is not None
    assert "script" not in TextOf(html.get_content()).tags
    texts = [plain_text(mail), *(path.read_text() for path in tmp_path.glob("deliveries/*/README.txt"))]
    lines = [line for text in texts for line in text.splitlines()]
    assert not any(line.startswith(("Bcc:", "> Bcc:", "Cc:", "> Cc:")) for line in lines)
