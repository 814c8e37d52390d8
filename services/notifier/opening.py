"""Make what settings name: the way of mails, the people they go to, and how much of a log they carry."""

from services.notifier.attachments import LogLimits
from services.notifier.mail_directory import DirectoryTransport
from services.notifier.settings import DirectoryMailSettings, MailSettings, NotifierSettings
from services.notifier.smtp import SmtpTransport
from services.notifier.transport import MailTransport
from services.notifier.writer import Correspondents


def open_transport(settings: MailSettings) -> MailTransport:
    """Make the way of mails that the settings name; no connection is made yet."""
    if isinstance(settings, DirectoryMailSettings):
        return DirectoryTransport(folder=settings.folder)
    return SmtpTransport(settings=settings)


def log_limits(settings: NotifierSettings) -> LogLimits:
    """Return how much of logs a mail carries."""
    return LogLimits(
        plain=settings.plain_log_bytes, compressed=settings.attached_log_bytes, total=settings.attached_total_bytes
    )


def correspondents(settings: NotifierSettings) -> Correspondents:
    """Return who writes, and who is written to besides users."""
    return Correspondents(
        sender=settings.sender,
        no_reply=settings.no_reply,
        support=settings.support,
        operations=settings.operations,
        message_id_domain=settings.message_id_domain,
        signature=settings.signature,
    )
