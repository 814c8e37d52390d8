"""One file from the archive into the object store: from whichever replica is good, once."""

from collections.abc import Callable, Sequence

import structlog

from contracts.messages.parts import ObjectRef
from contracts.reasons import ReasonCode
from services.ngas_fetcher.client import NgasClient
from services.ngas_fetcher.errors import (
    DamagedFileError,
    NgasAwayError,
    NgasFileMissingError,
    NgasRefusedError,
    ResumeRefusedError,
)
from services.ngas_fetcher.location import ArchiveFile
from services.ngas_fetcher.patience import Patience, Stop
from services.ngas_fetcher.transfer import Transfer
from shared.errors import BlockFailedError, RestoreError
from shared.objects import ObjectStore

log = structlog.get_logger()

Problem = DamagedFileError | NgasAwayError | NgasFileMissingError | NgasRefusedError
OnPosition = Callable[[int], None]


class FileFetcher:
    """Streams files from NGAS into the object store.

    Parameters
    ----------
    client
        Speaks to the servers.
    objects
        Where files go.
    patience
        When broken transfers are resumed or begun again.
    """

    def __init__(self, *, client: NgasClient, objects: ObjectStore, patience: Patience) -> None:
        self._client = client
        self._objects = objects
        self._patience = patience

    def stored(self, file: ArchiveFile, key: str) -> ObjectRef | None:
        """Return the file if it is in the store already: its key is made from what it is."""
        found = self._objects.info(key)
        return found.ref if found is not None and found.size == file.size else None

    def fetch(self, file: ArchiveFile, key: str, *, stop: Stop, on_position: OnPosition) -> ObjectRef:
        """Bring a file into the store, from the first replica that has it as the archive recorded it.

        Nothing is visible under the key before the last byte has been verified.

        Parameters
        ----------
        file
            What is fetched.
        key
            Its key in the store.
        stop
            Ends the fetch.
        on_position
            Told how many bytes have passed; goes back when the file is begun again.

        Raises
        ------
        BlockFailedError
            If no replica has it, or every replica is damaged.
        NgasAwayError
            If a replica that may be good is away.
        NgasRefusedError
            If a replica that may be good does not let us.
        FetchAbandonedError
            If told to stop.
        """
        problems: list[Problem] = []
        for server in file.servers:
            stop.check()
            try:
                return self._fetch_from(server, file, key, stop, on_position)
            except (DamagedFileError, NgasAwayError, NgasFileMissingError, NgasRefusedError) as error:
                log.warning("replica_failed", file_id=file.file_id, server=server, error=str(error), code=error.code)
                problems.append(error)
        raise verdict(file, problems)

    def _fetch_from(self, server: str, file: ArchiveFile, key: str, stop: Stop, on_position: OnPosition) -> ObjectRef:
        """Put the file in one pass; begin again where the server cannot go on at a byte."""
        for _ in range(self._patience.attempts):
            transfer = Transfer(
                client=self._client,
                file=file,
                server=server,
                patience=self._patience,
                stop=stop,
                on_position=on_position,
            )
            try:
                return self._objects.put(key, transfer.chunks())
            except ResumeRefusedError as error:
                log.info("transfer_begun_again", file_id=file.file_id, server=server, error=str(error))
                on_position(0)
        raise NgasAwayError(
            f"{server} broke {file.file_id} off {self._patience.attempts} times and goes on at no byte asked for"
        )


def verdict(file: ArchiveFile, problems: Sequence[Problem]) -> RestoreError:
    """Decide what becomes of a file that no replica gave.

    A replica that is away may be good: then it is worth to wait. Next, a person
    can open a replica that refuses. Damage and absence are final.
    """
    for hopeful in (NgasAwayError, NgasRefusedError):
        for problem in problems:
            if isinstance(problem, hopeful):
                return problem
    damages = [problem for problem in problems if isinstance(problem, DamagedFileError)]
    if damages:
        return BlockFailedError(damages[0].reason, "; ".join(damage.detail for damage in damages))
    return BlockFailedError(
        ReasonCode.FILE_NOT_IN_ARCHIVE, f"{file.file_id} version {file.version}: not on {', '.join(file.servers)}"
    )
