"""Mails as files in a directory: for demonstrations, and for another program to send."""

import os
from pathlib import Path
from uuid import uuid4

from services.notifier.mail import Mail
from services.notifier.transport import Handover, MailServerAwayError
from shared.objects.files import READ_ONLY, make_directories, sync_directory


class DirectoryTransport:
    """Writes each mail to ``<message id>.eml``, exactly once: a repeat finds it and writes nothing.

    Parameters
    ----------
    folder
        Where the mails go; created if it is missing.
    """

    def __init__(self, *, folder: Path) -> None:
        self._folder = folder.absolute()

    def send(self, mail: Mail) -> Handover:
        """Write the mail, with its blind copies named; see `MailTransport.send`."""
        path = self._folder / f"{str(mail.message['Message-ID']).strip('<>')}.eml"
        try:
            make_directories(self._folder)
            self._write_once(path, mail.message.as_bytes())
        except OSError as error:
            raise MailServerAwayError(
                f"cannot write mails to {self._folder}: {error}; make it writable or make room"
            ) from error
        return Handover()

    def _write_once(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{uuid4().hex}.part")
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), READ_ONLY)
                os.fsync(file.fileno())
            path.hardlink_to(temporary)
            sync_directory(self._folder)
        except FileExistsError:
            return
        finally:
            temporary.unlink(missing_ok=True)

    def is_ready(self) -> bool:
        """Whether the directory can be written, or made."""
        nearest = next(path for path in (self._folder, *self._folder.parents) if path.exists())
        return nearest.is_dir() and os.access(nearest, os.W_OK)
