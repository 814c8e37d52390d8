"""Exactly one mail per event and recipient, whatever is delivered again and whoever is killed."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import (
    Message,
    RequestRefused,
)
from contracts.messages.parts import MailKind
from contracts.reasons import ReasonCode
from observatory.metadata_demo import DELEGEE, MOUS, NOT_DELIVERED, PI, STRANGER
from shared.ends import find_end
from shared.objects.directory import DirectoryStore
from tests.support import killed_notifier
from tests.support.killed_notifier import MOMENTS
from tests.support.mail_house import FAILS, LOSES_ITS_STATE, House, asked, eleven, mail_in, message_id_of
from tests.support.mail_server import Mailbox, serving
from tests.unit.services.notifier.mails import plain_text


@pytest.mark.parametrize(
    ("message", "kind", "recipients"),
    [
        (asked(PI), MailKind.DELIVERED, 4),
        (asked(DELEGEE, ticket=FAILS), MailKind.FAILED, 2),
        (asked(PI, ticket=LOSES_ITS_STATE), MailKind.WITHHELD, 1),
        (asked(STRANGER), MailKind.REFUSED, 1),
        (asked(PI, mous=NOT_DELIVERED.uid), MailKind.REFUSED, 1),
        (eleven(), MailKind.REFUSED, 1),
    ],
    ids=["delivered", "failed", "withheld", "not entitled", "not delivered", "eleven MOUSs"],
)
def test_every_message_of_a_request_delivered_three_times_makes_one_mail_to_each_recipient(
    message: Message, kind: MailKind, recipients: int, house: House
) -> None:
    event = Event.first(message, source="/test")
    house.bus.publish([event])
    house.repeater.wait_until(lambda: bool(house.sent()))
    house.repeater.wait_for_silence()
    assert all(number >= 3 for number in house.repeater.heard.values())
    letters = house.letters()
    assert len(letters) == recipients
    assert set(letters.values()) == {1}
    (told,) = house.sent()
    assert (told.kind, told.recipients) == (kind, recipients)
    assert find_end(house.objects, told.request_id) is not None
    for queue in QUEUES:
        assert house.bus.dead_letters(queue) == ()


def test_of_a_mail_whose_recipients_are_all_refused_for_good_support_is_told_once_with_its_subject(
    house: House,
) -> None:
    house.mailbox.recipients = {"contact@example.org": "550 5.1.1 no such user"}
    house.bus.publish([Event.first(asked(STRANGER), source="/test")])
    house.repeater.wait_until(lambda: len(house.sent()) == 2)
    house.repeater.wait_for_silence()
    told = {sent.kind: (sent.recipients, sent.refused) for sent in house.sent()}
    assert told == {MailKind.REFUSED: (0, 1), MailKind.UNDELIVERED: (1, 0)}
    ((_, recipient),) = house.letters().elements()
    (envelope,) = house.mailbox.taken
    assert recipient == "support@example.org"
    text = plain_text(mail_in(envelope)).replace("\r\n", "\n")
    assert "The mail server refused all recipients of a mail for good: nobody has it." in text
    assert "contact@example.org: 550 5.1.1 no such user" in " ".join(text.split())
    assert f"Subject: Re: ALMA: REQUEST FOR CALIBRATED DATA MOUS {MOUS.uid.file_form}, helpdesk ticket 16140\n" in text
    assert "> NOT ENTITLED" in text
    assert find_end(house.objects, house.sent()[0].request_id) is not None
    assert house.bus.dead_letters("notifier") == ()


def test_a_mail_that_nobody_may_get_not_even_support_waits_among_the_dead_letters(house: House) -> None:
    refused = dict.fromkeys(("contact@example.org", "support@example.org"), "550 5.1.1 no such user")
    house.mailbox.recipients = refused
    event = Event.first(asked(STRANGER), source="/test")
    house.bus.publish([event])
    house.repeater.wait_until(lambda: bool(house.of(RequestRefused)))
    house.repeater.wait_for_silence()
    letters = house.bus.dead_letters("notifier")
    assert letters
    assert {letter.code for letter in letters} == {"mail_refused"}
    assert (house.mailbox.taken, house.sent()) == ([], [])
    assert find_end(house.objects, event.correlationid) is None


REFUSED = Event.first(RequestRefused(request=asked(PI).request, reason=ReasonCode.NOT_ENTITLED), source="/test")


def kill_notifier(folder: Path, mail: dict[str, object], moment: str) -> None:
    """Let a process of its own handle the event and be killed at a moment."""
    command = [sys.executable, "-m", "tests.support.killed_notifier", *arguments(folder, mail), moment]
    done = subprocess.run(command, timeout=60, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def handle_again(folder: Path, mail: dict[str, object]) -> None:
    """Let this process handle the event with a new notifier, and then with another one."""
    for _ in range(2):
        assert killed_notifier.main(*arguments(folder, mail)) == 0


def arguments(folder: Path, mail: dict[str, object]) -> tuple[str, str, str]:
    path = folder / "event.json"
    path.write_bytes(REFUSED.encode())
    return str(folder / "objects"), json.dumps(mail), str(path)


@pytest.mark.parametrize(
    ("moment", "mails"),
    [("about to send", 1), ("sent and not recorded", 2), ("recorded and not ended", 1)],
)
def test_a_notifier_that_is_killed_sends_once_but_for_one_window(moment: str, mails: int, tmp_path: Path) -> None:
    """Killed between sending and recording it sends again, and the Message-ID tells that it is the same mail."""
    mailbox = Mailbox()
    with serving(mailbox) as port:
        mail: dict[str, object] = {"kind": "smtp", "host": "127.0.0.1", "port": port, "security": "none"}
        kill_notifier(tmp_path, mail, moment)
        handle_again(tmp_path, mail)
    ids = [message_id_of(one) for one in mailbox.taken]
    assert ids == [f"<{REFUSED.id}@restore.example.org>"] * mails
    assert find_end(DirectoryStore(tmp_path / "objects"), REFUSED.correlationid) is not None


@pytest.mark.parametrize("moment", MOMENTS)
def test_mails_in_a_directory_have_no_such_window(moment: str, tmp_path: Path) -> None:
    mail: dict[str, object] = {"kind": "directory", "folder": str(tmp_path / "mails")}
    kill_notifier(tmp_path, mail, moment)
    handle_again(tmp_path, mail)
    assert [path.name for path in (tmp_path / "mails").iterdir()] == [f"{REFUSED.id}@restore.example.org.eml"]
