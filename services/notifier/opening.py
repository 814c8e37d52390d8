"""Make the transport that settings name."""

from services.notifier.mail_directory import DirectoryTransport
from services.notifier.settings import DirectoryMailSettings, MailSettings
from services.notifier.smtp import SmtpTransport
from services.notifier.transport import MailTransport


def open_transport(settings: MailSettings) -> MailTransport:
    """Make the way of mails that the settings name; no connection is made yet."""
    if isinstance(settings, DirectoryMailSettings):
        return DirectoryTransport(folder=settings.folder)
    return SmtpTransport(settings=settings)
