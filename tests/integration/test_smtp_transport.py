"""Mails through a real SMTP conversation, with the answers that servers give on bad days."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from services.notifier.mail import Draft, Mail, write_mail
from services.notifier.settings import SmtpSettings
from services.notifier.smtp import SmtpTransport
from services.notifier.transport import Handover, MailRefusedError, MailServerAwayError
from tests.support.certificates import Certificate, certificate_for
from tests.support.s3 import free_ports
from tests.unit.services.notifier.samples import EVENT_ID, NOW
from tests.unit.services.notifier.transport_contract import RECIPIENTS, MailTransportContract, a_mail, parsed

USER, CONTACT, SUPPORT = RECIPIENTS
OK = "250 OK"


@dataclass
class Mailbox:
    """What a mail server took, and what it answers instead if the test says so."""

    recipients: dict[str, str] = field(default_factory=dict)
    sender: str = OK
    data: str = OK
    taken: list[Envelope] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802  aiosmtpd calls it so
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.sender

    async def handle_RCPT(  # noqa: N802  aiosmtpd calls it so
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = self.recipients.get(address, OK)
        if answer == OK:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.data == OK:
            self.taken.append(envelope)
        return self.data


@contextmanager
def serving(mailbox: Mailbox, **options: Any) -> Iterator[int]:
    """Run a mail server on loopback and give its port."""
    (port,) = free_ports(1)
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def transport(port: int, **options: object) -> SmtpTransport:
    settings = {"host": "127.0.0.1", "port": port, "security": "none", "timeout_seconds": 5} | options
    return SmtpTransport(settings=SmtpSettings.model_validate(settings))


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def port(mailbox: Mailbox) -> Iterator[int]:
    with serving(mailbox) as found:
        yield found


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


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate_for("127.0.0.1", tmp_path_factory.mktemp("certificate"))


def context_of(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    return context


def check_password(
    _server: SMTP, _session: Session, _envelope: Envelope, _kind: str, data: LoginPassword
) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"notifier", b"correct"), handled=False)


@pytest.fixture
def guarded(mailbox: Mailbox, certificate: Certificate) -> Iterator[int]:
    """A server that insists on STARTTLS and a login."""
    with serving(
        mailbox,
        tls_context=context_of(certificate),
        require_starttls=True,
        auth_required=True,
        authenticator=check_password,
    ) as found:
        yield found


def test_a_mail_goes_out_over_starttls_with_a_login(mailbox: Mailbox, guarded: int, certificate: Certificate) -> None:
    sender = transport(
        guarded, security="starttls", ca_file=certificate.certificate, user="notifier", password="correct"
    )
    assert sender.is_ready()
    sender.send(a_mail())
    assert len(mailbox.taken) == 1


def test_a_mail_goes_out_over_tls_from_the_first_byte(mailbox: Mailbox, certificate: Certificate) -> None:
    with serving(mailbox, ssl_context=context_of(certificate)) as port:
        transport(port, security="tls", ca_file=certificate.certificate).send(a_mail())
    assert len(mailbox.taken) == 1


@pytest.mark.parametrize(
    ("trusted", "password", "words"),
    [(False, "correct", "CERTIFICATE_VERIFY_FAILED"), (True, "mistyped", "SMTPAuthenticationError")],
    ids=["an unknown certificate", "a wrong password"],
)
def test_mails_wait_for_a_person_to_put_the_settings_right(
    trusted: bool, password: str, words: str, mailbox: Mailbox, guarded: int, certificate: Certificate
) -> None:
    trust = certificate.certificate if trusted else None
    sender = transport(guarded, security="starttls", ca_file=trust, user="notifier", password=password)
    with pytest.raises(MailServerAwayError, match=words) as raised:
        sender.send(a_mail())
    assert password not in str(raised.value)
    assert not sender.is_ready()
    assert mailbox.taken == []


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


def test_a_server_without_starttls_never_sees_a_mail_that_was_to_be_protected(mailbox: Mailbox, port: int) -> None:
    with pytest.raises(MailServerAwayError, match="STARTTLS"):
        transport(port, security="starttls").send(a_mail())
    assert mailbox.taken == []
