"""Mails through an SMTP server."""

import smtplib
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import copy
from threading import Lock

import structlog

from services.notifier.mail import Mail
from services.notifier.settings import SmtpSettings
from services.notifier.transport import Handover, MailRefusedError, MailServerAwayError

log = structlog.get_logger()

_READY_FOR = 30.0
"""Seconds for which an answer about readiness stands: a mail server is no thing to ask every second."""

Answers = Mapping[str, tuple[int, bytes]]


class SmtpTransport:
    """Hands mails to an SMTP server, on a connection for each.

    A server that cannot be used for any mail (unreachable, no TLS, login refused)
    is away: mails wait until a person has put it right. A 4xx answer means later,
    a 5xx answer to a recipient or to the mail means never.

    Parameters
    ----------
    settings
        Where the server is and how to talk to it.
    """

    def __init__(self, *, settings: SmtpSettings) -> None:
        self._settings = settings
        self._where = f"{settings.host}:{settings.port}"
        self._readiness = Lock()
        self._asked = float("-inf")
        self._answered = False

    def send(self, mail: Mail) -> Handover:
        """Hand the mail over; see `MailTransport.send`.

        If the connection breaks between the end of the mail and the server's answer,
        it counts as not sent: the next try may give a recipient the mail again,
        under the same Message-ID.
        """
        with self._connection() as server:
            try:
                answers = _hand_over(server, mail)
            except smtplib.SMTPRecipientsRefused as error:
                raise self._none_taken(error.recipients) from error
            except smtplib.SMTPResponseException as error:
                raise self._not_taken(error) from error
            except smtplib.SMTPNotSupportedError as error:
                raise MailRefusedError(f"{self._where} cannot carry these addresses: {error}") from error
        return _sorted(answers)

    def try_out(self, *, sender: str, recipient: str) -> None:
        """Begin a mail as far as the server's word whether it takes it, and send none.

        Raises
        ------
        MailServerAwayError, MailRefusedError
            If it does not take it now, or never will.
        """
        with self._connection() as server:
            server.ehlo_or_helo_if_needed()
            for code, text in (server.mail(sender), server.rcpt(recipient)):
                if code >= 400:
                    raise self._not_taken(smtplib.SMTPResponseException(code, text))
            server.rset()

    def is_ready(self) -> bool:
        """Whether the server greets, talks TLS and takes the login; asked twice a minute at most."""
        with self._readiness:
            if time.monotonic() - self._asked >= _READY_FOR:
                self._answered = self._answers()
                self._asked = time.monotonic()
            return self._answered

    def _answers(self) -> bool:
        try:
            with self._connection() as server:
                return server.noop()[0] == 250
        except MailServerAwayError as error:
            log.warning("mail_server_away", cause=str(error))
            return False

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        """Open a session; whatever breaks it means that the server is away."""
        try:
            server = self._connect()
            try:
                self._introduce(server)
                yield server
            finally:
                _leave(server)
        except (smtplib.SMTPException, OSError) as error:
            raise MailServerAwayError(
                f"the mail server {self._where} ({self._settings.security}) cannot be used: "
                f"{type(error).__name__}: {error}; mails wait until it can"
            ) from error

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        if settings.security == "tls":
            return smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=settings.timeout_seconds, context=self._context()
            )
        return smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_seconds)

    def _introduce(self, server: smtplib.SMTP) -> None:
        if self._settings.security == "starttls":
            server.starttls(context=self._context())
        if self._settings.user is not None:
            server.login(self._settings.user, self._settings.password.get_secret_value())

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._settings.ca_file)

    def _none_taken(self, answers: Answers) -> MailServerAwayError | MailRefusedError:
        """Say what it means that every recipient was refused: one who may be taken later is enough to wait."""
        words = "; ".join(f"{one}: {_words(*answer)}" for one, answer in answers.items())
        if all(code >= 500 for code, _ in answers.values()):
            return MailRefusedError(f"{self._where} refuses every recipient: {words}; correct the addresses")
        return MailServerAwayError(f"{self._where} takes no recipient now: {words}")

    def _not_taken(self, error: smtplib.SMTPResponseException) -> MailServerAwayError | MailRefusedError:
        words = f"{type(error).__name__}: {_words(error.smtp_code, error.smtp_error)}"
        if error.smtp_code >= 500:
            return MailRefusedError(f"{self._where} refuses the mail: {words}")
        return MailServerAwayError(f"{self._where} does not take the mail now: {words}")


def _hand_over(server: smtplib.SMTP, mail: Mail) -> Answers:
    """Send without blind copies in the header; smtplib's own way would write ``>From`` for a line's ``From``."""
    message = copy(mail.message)
    del message["Bcc"]
    server.ehlo_or_helo_if_needed()
    options = []
    if mail.is_international:
        if not server.has_extn("smtputf8"):
            raise smtplib.SMTPNotSupportedError("the server knows no SMTPUTF8")
        options = ["SMTPUTF8", "BODY=8BITMIME"]
    return server.sendmail(mail.sender, list(mail.recipients), message.as_bytes(), options)


def _sorted(answers: Answers) -> Handover:
    said = {one: (code, _words(code, text)) for one, (code, text) in answers.items()}
    return Handover(
        refused={one: words for one, (code, words) in said.items() if code >= 500},
        deferred={one: words for one, (code, words) in said.items() if code < 500},
    )


def _words(code: int, text: bytes | str) -> str:
    return f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"


def _leave(server: smtplib.SMTP) -> None:
    """Say good-bye; what comes after the answer to a mail cannot undo that it was taken."""
    with suppress(smtplib.SMTPException, OSError):
        server.quit()
    server.close()
