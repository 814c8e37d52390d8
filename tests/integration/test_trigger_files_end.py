"""A trigger file lies in its directory until its request has ended and the mail is out."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.messages import (
    RequestRefused,
)
from contracts.messages.parts import MailKind
from contracts.reasons import ReasonCode
from observatory.metadata_demo import MOUS, PI, STRANGER
from observatory.metadata_entities import DemoAccount
from services.request_desk.intake.trigger_file import trigger_name
from shared.request_text import write_request_text
from tests.support.mail_house import FAILS, LOSES_ITS_STATE, House, asked
from tests.support.mail_server import OK


@pytest.mark.parametrize(
    ("account", "ticket", "kind"),
    [
        (PI, "16140", MailKind.DELIVERED),
        (PI, FAILS, MailKind.FAILED),
        (PI, LOSES_ITS_STATE, MailKind.WITHHELD),
        (STRANGER, "16140", MailKind.REFUSED),
    ],
    ids=["delivered", "failed", "withheld", "refused"],
)
def test_a_trigger_file_lies_there_until_its_mail_is_out(
    account: DemoAccount, ticket: str, kind: MailKind, house: House, tmp_path: Path
) -> None:
    path = tmp_path / "triggers" / trigger_name(MOUS.uid, datetime(2026, 1, 2, tzinfo=UTC))
    house.mailbox.sender = "451 4.3.0 come later"
    path.write_text(write_request_text(asked(account, ticket=ticket).request))
    house.repeater.wait_until(lambda: house.waits_for_the_mail_server())
    assert path.exists()
    assert house.sent() == []
    house.mailbox.sender = OK
    house.repeater.wait_until(lambda: bool(house.sent()))
    house.repeater.wait_for_silence()
    assert not path.exists()
    assert [sent.kind for sent in house.sent()] == [kind]
    assert set(house.letters().values()) == {1}


def test_of_two_triggers_for_the_same_data_the_second_is_answered_as_a_duplicate(house: House, tmp_path: Path) -> None:
    house.mailbox.sender = "451 4.3.0 come later"
    for second in (1, 2):
        name = trigger_name(MOUS.uid, datetime(2026, 1, 2, 3, 4, second, tzinfo=UTC))
        (tmp_path / "triggers" / name).write_text(write_request_text(asked(PI).request))
    house.repeater.wait_until(lambda: bool(house.of(RequestRefused)))
    house.mailbox.sender = OK
    house.repeater.wait_until(lambda: len(house.sent()) == 2)
    house.repeater.wait_for_silence()
    (refusal,) = house.of(RequestRefused)
    assert refusal.reason is ReasonCode.ALREADY_ACTIVE
    assert Counter(sent.kind for sent in house.sent()) == {MailKind.DELIVERED: 1, MailKind.REFUSED: 1}
    assert list((tmp_path / "triggers").iterdir()) == []
