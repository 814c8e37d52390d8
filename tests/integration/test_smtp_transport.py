"""Mails through a real SMTP conversation, with the answers that servers give on bad days."""

import socket
from collections.abc import Callable
from threading import Thread

import pytest

from services.notifier.mail import Draft, Mail, write_mail
from services.notifier.smtp import SmtpTransport
from services.notifier.transport import Handover, MailRefusedError, MailServerAwayError
from tests.support.mail_server import Mailbox, serving, transport
from tests.support.ports import free_ports
from tests.unit.services.notifier.samples import EVENT_ID, NOW
from tests.unit.services.notifier.transport_contract import RECIPIENTS, MailTransportContract, a_mail, parsed

USER, CONTACT, SUPPORT = RECIPIENTS


class TestSmtpTransport(MailTransportContract):
    @pytest.fixture(autouse=True)
    def _server(self, mailbox: Mailbox, port: int) -> None:
        self.mailbox, self.port = mailbox, port

    def transport(self) -> SmtpTransport:
        return transport(self.port)

    def arrived(self) -> list[bytes]:
        contents = [envelope.content for envelope in self.mailbox.taken]
        return [content for content in contents if isinstance(content, bytes)]

    def test_blind_copies_are_in_the_envelope_only(self) -> None:
        self.transport().send(a_mail())
        assert self.mailbox.taken[0].rcpt_tos == list(RECIPIENTS)
        assert self.mailbox.taken[0].mail_from == "alma@example.org"
        assert parsed(*self.arrived())["Bcc"] is None

    def test_only_the_recipients_that_are_left_get_a_mail_that_is_tried_again(self) -> None:
        self.transport().send(a_mail().only_to([SUPPORT]))
        assert self.mailbox.taken[0].rcpt_tos == [SUPPORT]


def test_a_recipient_refused_for_good_does_not_keep_the_mail_from_the_others(mailbox: Mailbox, port: int) -> None:
    mailbox.recipients = {CONTACT: "550 5.1.1 no such user", SUPPORT: "451 4.7.1 greylisted"}
    handover = transport(port).send(a_mail())
    assert handover == Handover(refused={CONTACT: "550 5.1.1 no such user"}, deferred={SUPPORT: "451 4.7.1 greylisted"})
    assert [envelope.rcpt_tos for envelope in mailbox.taken] == [[USER]]


def script_recipients(answer: str) -> Callable[[Mailbox], None]:
    return lambda mailbox: mailbox.recipients.update(dict.fromkeys(RECIPIENTS, answer))


def script_mixed(mailbox: Mailbox) -> None:
    mailbox.recipients.update({USER: "550 no", CONTACT: "550 no", SUPPORT: "452 mailbox full"})


def script_sender(answer: str) -> Callable[[Mailbox], None]:
    return lambda mailbox: setattr(mailbox, "sender", answer)


def script_data(answer: str) -> Callable[[Mailbox], None]:
    return lambda mailbox: setattr(mailbox, "data", answer)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (script_recipients("451 4.7.1 greylisted"), "greylisted"),
        (script_recipients("421 4.3.2 shutting down"), "shutting down"),
        (script_mixed, "mailbox full"),
        (script_sender("452 4.3.1 no room"), "no room"),
        (script_data("451 4.3.0 disk trouble"), "disk trouble"),
        (script_data("421 4.3.2 shutting down"), "shutting down"),
    ],
    ids=["recipients", "recipients-closing", "one-of-them", "sender", "data", "data-closing"],
)
def test_an_answer_of_4xx_means_later(
    script: Callable[[Mailbox], None], words: str, mailbox: Mailbox, port: int
) -> None:
    script(mailbox)
    with pytest.raises(MailServerAwayError, match=words) as raised:
        transport(port).send(a_mail())
    assert raised.value.transient
    assert mailbox.taken == []


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (script_recipients("550 5.1.1 no such user"), r"vera@example\.org: 550 5\.1\.1 no such user"),
        (script_sender("553 5.1.8 sender not allowed"), "sender not allowed"),
        (script_data("554 5.6.0 looks like spam"), "looks like spam"),
        (script_data("552 5.3.4 too large"), "too large"),
    ],
    ids=["recipients", "sender", "data", "size"],
)
def test_an_answer_of_5xx_to_the_mail_means_never(
    script: Callable[[Mailbox], None], words: str, mailbox: Mailbox, port: int
) -> None:
    script(mailbox)
    with pytest.raises(MailRefusedError, match=words) as raised:
        transport(port).send(a_mail())
    assert not raised.value.transient
    assert mailbox.taken == []


def test_a_server_that_is_not_there_is_away(mailbox: Mailbox) -> None:
    (nobody,) = free_ports(1)
    with pytest.raises(MailServerAwayError, match=f"127.0.0.1:{nobody}.*ConnectionRefused"):
        transport(nobody).send(a_mail())
    assert not transport(nobody).is_ready()


def test_a_server_that_accepts_and_says_nothing_is_away_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", free_ports(1)[0])) as listener:
        silent = transport(listener.getsockname()[1], timeout_seconds=0.3)
        with pytest.raises(MailServerAwayError, match=r"(?i)timed out|timeout"):
            silent.send(a_mail())


def answer_and_break(listener: socket.socket, answers: list[bytes]) -> None:
    """Speak a part of the protocol, one answer a line of the client's, then cut the connection."""
    connection, _ = listener.accept()
    with connection, connection.makefile("rwb") as stream:
        stream.write(answers[0])
        stream.flush()
        for answer in answers[1:]:
            line = stream.readline()
            if answer in {b"take", b"swallow"}:
                while line != b".\r\n":
                    line = stream.readline()
                answer = {b"take": b"250 taken\r\n", b"swallow": b""}[answer]
            stream.write(answer)
            stream.flush()


GREETING = [b"220 hello\r\n", b"250 hello\r\n", b"250 sender\r\n"]


@pytest.mark.parametrize(
    ("answers", "taken"),
    [
        (GREETING, False),
        ([*GREETING, b"250 recipient\r\n", b"354 go on\r\n"], False),
        ([*GREETING, b"250 recipient\r\n", b"354 go on\r\n", b"swallow"], False),
        ([*GREETING, b"250 recipient\r\n", b"354 go on\r\n", b"take"], True),
    ],
    ids=[
        "before the recipients",
        "within the mail",
        "after the mail, before the answer",
        "after the answer to the mail",
    ],
)
def test_a_broken_connection_means_later_unless_the_mail_was_taken(answers: list[bytes], taken: bool) -> None:
    mail = a_mail().only_to([USER])
    with socket.create_server(("127.0.0.1", free_ports(1)[0])) as listener:
        server = Thread(target=answer_and_break, args=(listener, answers))
        server.start()
        try:
            if taken:
                assert transport(listener.getsockname()[1]).send(mail) == Handover()
            else:
                with pytest.raises(MailServerAwayError):
                    transport(listener.getsockname()[1]).send(mail)
        finally:
            server.join()


def international() -> Mail:
    draft = Draft(to=["zoë@example.org"], subject="x", body="x\n", reply_to="a@example.org", headers={})
    return write_mail(draft, mail_id=EVENT_ID, sender="alma@example.org", domain="example.org", date=NOW)


def test_an_address_beyond_ascii_reaches_a_server_that_knows_them(mailbox: Mailbox) -> None:
    with serving(mailbox, enable_SMTPUTF8=True) as port:
        transport(port).send(international())
    assert mailbox.taken[0].rcpt_tos == ["zoë@example.org"]


def test_an_address_beyond_ascii_is_refused_where_the_server_knows_none(mailbox: Mailbox) -> None:
    with (
        serving(mailbox, enable_SMTPUTF8=False) as port,
        pytest.raises(MailRefusedError, match="SMTPUTF8"),
    ):
        transport(port).send(international())
    assert mailbox.taken == []
