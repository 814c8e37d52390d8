"""A notifier in a process of its own that handles one event, and can be killed where it hurts.

``python -m tests.support.killed_notifier OBJECTS MAIL EVENT [MOMENT]`` takes the folder of the
object store, the settings of mails as JSON, a file with an event, and one of ``MOMENTS``.
"""

import os
import signal
import sys
from pathlib import Path
from time import monotonic, sleep
from typing import NoReturn

from pydantic import TypeAdapter

from contracts.envelope import Event
from contracts.messages.parts import ObjectRef
from services.notifier.service import Notifier, build
from services.notifier.settings import MailSettings, NotifierSettings
from shared.objects.directory import DirectoryStore
from shared.objects.lease import LeaseHeldError
from tests.support.delivery import RecordingDelivery

MOMENTS = ("about to send", "sent and not recorded", "recorded and not ended")


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


class DeadlyStore(DirectoryStore):
    """A store in which the process dies at a moment.

    Parameters
    ----------
    root
        Where it is.
    moment
        When to die, if ever.
    """

    def __init__(self, root: Path, moment: str) -> None:
        super().__init__(root)
        self._moment = moment

    def put_bytes(self, key: str, data: bytes) -> ObjectRef:
        """Die before the record of a mail is stored."""
        if key.startswith("mails/") and self._moment == "sent and not recorded":
            _die()
        return super().put_bytes(key, data)

    def create(self, key: str, data: bytes) -> ObjectRef:
        """Die after the lease of a mail is taken, or before the mark of a request's end is stored."""
        if key.endswith("/ended.json") and self._moment == "recorded and not ended":
            _die()
        ref = super().create(key, data)
        if key.startswith("leases/mails/") and self._moment == "about to send":
            _die()
        return ref


def main(objects: str, mail: str, event: str, moment: str = "") -> int:
    """Handle the event."""
    folder = Path(objects)
    settings = NotifierSettings(
        deliveries=folder.parent / "deliveries",
        public_url="http://almascience.example.org/preview",
        mail=TypeAdapter[MailSettings](MailSettings).validate_json(mail),
        sender="alma-restore@example.org",
        no_reply="no-reply@example.org",
        support="support@example.org",
        operations="operations@example.org",
        message_id_domain="restore.example.org",
        lease_seconds=0.2,
    )
    notifier, read = (
        build(objects=DeadlyStore(folder, moment), settings=settings),
        Event.decode(Path(event).read_bytes()),
    )
    until = monotonic() + 20.0
    while not _handled(notifier, read):
        if monotonic() > until:
            return 1
        sleep(0.05)
    return 0


def _handled(notifier: Notifier, event: Event) -> bool:
    """Handle an event as the bus would deliver it; False while a dead process is in the way."""
    try:
        notifier.handle(event, RecordingDelivery())
    except LeaseHeldError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
