"""Compare what came out of a scenario with what should have."""

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

from alma_restore.demo.mails import SentMail, mail_differences, read_mails
from alma_restore.demo.scenario import Asked
from alma_restore.progress import RequestProgress


class Results:
    """What lies in the folders of deliveries and mails after a scenario.

    Parameters
    ----------
    deliveries
        Folder of the deliveries.
    mails
        Folder of the mails.
    """

    def __init__(self, *, deliveries: Path, mails: Path) -> None:
        self._deliveries = deliveries
        self._mails = read_mails(mails)

    def mails_of(self, asked: Asked) -> list[SentMail]:
        """Return the mails about a request."""
        return self._mails.get(asked.request.request_id, [])

    def differences(self, asked: Asked, progress: RequestProgress) -> list[str]:
        """Say what came out otherwise than expected; nothing if all is well."""
        return [
            *asked.expected.differences(progress),
            *mail_differences(asked, self.mails_of(asked)),
            *self._damaged_files(progress),
            *self._partial_deliveries(),
        ]

    def _partial_deliveries(self) -> list[str]:
        """Name what lies among the deliveries although it is not finished."""
        return [f"{path}: left unfinished" for path in self._deliveries.glob(".*")]

    def folder_of(self, progress: RequestProgress) -> Path:
        """Return the folder of a delivery, which has the last part of its address as name."""
        assert progress.delivery is not None, "nothing was delivered"
        return self._deliveries / urlsplit(progress.delivery.address).path.rpartition("/")[2]

    def _damaged_files(self, progress: RequestProgress) -> list[str]:
        """Name the delivered files whose bytes are not those that were announced."""
        if progress.delivery is None:
            return []
        folder, wrong = self.folder_of(progress), []
        for file in progress.delivery.files:
            with (folder / file.name).open("rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != file.sha256:
                    wrong.append(f"{file.name}: not the announced bytes")
        return wrong
