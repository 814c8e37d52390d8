"""Mails over TLS and with a login, and never without where they were to be protected."""

import ssl
from collections.abc import Iterator

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from services.notifier.transport import MailServerAwayError
from tests.support.certificates import Certificate, certificate_for
from tests.support.mail_server import Mailbox, serving, transport
from tests.unit.services.notifier.transport_contract import a_mail


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


def test_a_server_without_starttls_never_sees_a_mail_that_was_to_be_protected(mailbox: Mailbox, port: int) -> None:
    with pytest.raises(MailServerAwayError, match="STARTTLS"):
        transport(port, security="starttls").send(a_mail())
    assert mailbox.taken == []
