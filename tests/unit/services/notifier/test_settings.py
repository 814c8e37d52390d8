"""Settings that a site must choose, and those that are refused."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.notifier.service import build
from services.notifier.settings import NotifierSettings, SmtpSettings
from services.notifier.smtp import SmtpTransport
from shared.objects import ObjectStore
from tests.unit.services.notifier.samples import settings

CHOSEN = {
    "DELIVERIES": "/srv/deliveries",
    "PUBLIC_URL": "https://data.example.org/preview/",
    "SENDER": "alma-restore@example.org",
    "NO_REPLY": "no-reply@example.org",
    "SUPPORT": "support@example.org",
    "OPERATIONS": "operations@example.org",
    "MESSAGE_ID_DOMAIN": "restore.example.org",
    "MAIL__KIND": "smtp",
    "MAIL__HOST": "mail.example.org",
    "MAIL__PASSWORD": "secret",
}


def test_a_site_sets_them_by_the_environment(monkeypatch: pytest.MonkeyPatch, objects: ObjectStore) -> None:
    for name, value in CHOSEN.items():
        monkeypatch.setenv(f"ALMA_RESTORE_NOTIFIER_{name}", value)
    found = NotifierSettings()
    assert found.public_url == "https://data.example.org/preview"
    assert isinstance(found.mail, SmtpSettings)
    assert (found.mail.host, found.mail.port, found.mail.security) == ("mail.example.org", 587, "starttls")
    assert "secret" not in repr(found)
    assert isinstance(build(objects=objects)._transport, SmtpTransport)


def test_what_only_a_site_can_know_has_no_default() -> None:
    with pytest.raises(ValidationError) as raised:
        NotifierSettings()
    missing = {str(item["loc"][0]) for item in raised.value.errors()}
    assert missing == {"public_url", "mail", "sender", "no_reply", "support", "operations", "message_id_domain"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("public_url", "data.example.org"),
        ("public_url", "https://data.example.org/a b"),
        ("public_url", "https://data.example.org/$(x)'"),
        ("support", "nobody"),
        ("support", "a@example.org\nBcc: b@example.org"),
        ("message_id_domain", "restore.example.org>"),
        ("signature", "two\nlines"),
        ("retention_days", 0),
    ],
)
def test_a_setting_that_would_spoil_mails_is_refused(name: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=name):
        settings(tmp_path, **{name: value})
