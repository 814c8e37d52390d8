"""One file from the archive into the object store: from whichever replica is good, once."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import TypeVar

import structlog
from prometheus_client import CollectorRegistry

from contracts.messages.parts import ObjectRef
from contracts.reasons import ReasonCode
from services.ngas_fetcher.errors import (
    DamagedFileError,
    NgasAwayError,
    NgasFileMissingError,
    NgasRefusedError,
    ResumeRefusedError,
)
from services.ngas_fetcher.location import ArchiveFile
from services.ngas_fetcher.metrics import FetchMetrics
from services.ngas_fetcher.patience import Patience
from services.ngas_fetcher.stop import Stop
from services.ngas_fetcher.target import Target
from services.ngas_fetcher.transfer import Transfer, Way
from shared.errors import BlockFailedError, RestoreError

log = structlog.get_logger()
T = TypeVar("T")

Problem = DamagedFileError | NgasAwayError | NgasFileMissingError | NgasRefusedError
OnPosition = Callable[[int], None]
Take = Callable[[Iterator[bytes]], T]


class FileFetcher:
    """Streams files from NGAS to where they are wanted.

    Parameters
    ----------
    way
        Gets bytes from the servers …
    ways
        … except from these, which have a way of their own.
    target
        Where files go.
    patience
        When broken transfers are resumed or begun again.
    metrics
        Count what comes from where; kept by nobody if None.
    """

    def __init__(
        self,
        *,
        way: Way,
        target: Target,
        patience: Patience,
        ways: Mapping[str, Way] | None = None,
        metrics: FetchMetrics | None = None,
    ) -> None:
        self._way = way
        self._ways = dict(ways or {})
        self._target = target
        self._patience = patience
        self._metrics = metrics or FetchMetrics(CollectorRegistry())

    def stored(self, file: ArchiveFile, key: str) -> ObjectRef | None:
        """Return the file if it is at the target already: its key is made from what it is."""
        found = self._target.info(key)
        return found.ref if found is not None and found.size == file.size else None

    def fetch(self, file: ArchiveFile, key: str, *, stop: Stop, on_position: OnPosition) -> ObjectRef:
        """Bring a file to the target; see `fetch_into`.

        Nothing is visible under the key before the last byte has been verified.
        """
        take = partial(self._target.put, key, at_most=file.size)
        return self.fetch_into(file, take, stop=stop, on_position=on_position)

    def fetch_into(self, file: ArchiveFile, take: Take[T], *, stop: Stop, on_position: OnPosition) -> T:
        """Get a file from the first replica that has it as the archive recorded it.

        Parameters
        ----------
        file
            What is fetched.
        take
            Takes all its bytes, of which the last was verified when they end. If they raise, it has to forget
            what it took; it is called again with the bytes from the beginning.
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
        until = time.monotonic() + self._patience.seconds_for(file.size)
        for server in file.servers:
            stop.check()
            try:
                with self._metrics.of(server).fetching():
                    return self._fetch_from(server, file, take, stop, on_position, until)
            except (DamagedFileError, NgasAwayError, NgasFileMissingError, NgasRefusedError) as error:
                log.warning("replica_failed", file_id=file.file_id, server=server, error=str(error), code=error.code)
                problems.append(error)
        raise verdict(file, problems)

    def _fetch_from(
        self,
        server: str,
        file: ArchiveFile,
        take: Take[T],
        stop: Stop,
        on_position: OnPosition,
        until: float,
    ) -> T:
        """Get the file in one pass; begin again where the server cannot go on at a byte."""
        for _ in range(self._patience.attempts):
            transfer = Transfer(
                way=self._ways.get(server, self._way),
                file=file,
                server=server,
                patience=self._patience,
                stop=stop,
                on_position=on_position,
                until=until,
                metrics=self._metrics.of(server),
            )
            try:
                with closing(transfer.chunks()) as chunks:
                    return take(chunks)
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
