"""Examines what the notifier depends on: the mail server, and the directory that it lays data out in."""

from services.notifier.area import DirectoryArea
from services.notifier.opening import open_transport
from services.notifier.settings import NotifierSettings
from services.notifier.smtp import SmtpTransport
from shared.findings import Findings
from shared.objects import ObjectStore


def examine_mail(settings: NotifierSettings) -> Findings:
    """Begin a mail to support as far as the server's word whether it takes it; none is sent."""
    findings = Findings("mail")
    advice = "start the server, and check ALMA_RESTORE_NOTIFIER_MAIL__…, sender and support"
    with findings.attempt("server", advice):
        transport = open_transport(settings.mail)
        if isinstance(transport, SmtpTransport):
            transport.try_out(sender=settings.sender, recipient=settings.support)
            findings.ok("server", f"it takes mails of {settings.sender} to {settings.support}")
        elif transport.is_ready():
            findings.ok("directory", "mails can be written")
        else:
            findings.fail("directory", "mails cannot be written", "make it writable")
    return findings


def examine_area(settings: NotifierSettings, objects: ObjectStore) -> Findings:
    """See whether deliveries can be laid out, where they are."""
    findings = Findings("deliveries")
    if settings.deliveries is None:
        findings.ok("directory", "none is used: the request desk serves them")
    elif DirectoryArea(root=settings.deliveries, objects=objects).is_ready():
        findings.ok("directory", f"{settings.deliveries} can be written")
    else:
        findings.fail("directory", f"{settings.deliveries} cannot be written", "make it, for the service's user")
    return findings
