"""One file from one server: resumed where it broke, counted and summed while it passes."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

import structlog

from services.ngas_fetcher.checksums import RunningChecksum
from services.ngas_fetcher.errors import DamagedFileError, NgasAwayError, ResumeRefusedError
from services.ngas_fetcher.location import ArchiveFile
from services.ngas_fetcher.metrics import HostMetrics
from services.ngas_fetcher.patience import Patience
from services.ngas_fetcher.readahead import read_ahead
from services.ngas_fetcher.stop import Stop

log = structlog.get_logger()
_LARGE = 16 << 20
"""Bytes from which on a file is received in a thread of its own, while what was received is stored.

Of smaller ones several come side by side anyway, and a thread more for each only costs.
"""


class Extent(Protocol):
    """The bytes of a file from an offset on, as they begin to come."""

    @property
    def start(self) -> int:
        """Offset of the first byte, as their sender says."""

    @property
    def total(self) -> int | None:
        """Bytes of the whole file, if the sender says it."""

    def chunks(self) -> Iterator[bytes]:
        """Go through them; raises `NgasAwayError` if they break off."""


class Way(Protocol):
    """A way on which a file comes from a server."""

    def open(
        self, server: str, file_id: str, version: int, *, start: int, stop: Stop, until: float
    ) -> AbstractContextManager[Extent]:
        """Begin to get a version of a file from an offset on; see `NgasClient.open`."""


class Transfer:
    """Streams a file; whoever takes its chunks to the end has the file as the archive recorded it.

    Parameters
    ----------
    way
        Gets bytes from the server.
    file
        What is fetched.
    server
        From where.
    patience
        When a broken transfer is resumed.
    stop
        Ends the transfer.
    on_position
        Told how many bytes have passed, after every chunk.
    until
        Time of the monotonic clock at which it is given up.
    metrics
        Count what comes from the server.
    """

    def __init__(
        self,
        *,
        way: Way,
        file: ArchiveFile,
        server: str,
        patience: Patience,
        stop: Stop,
        on_position: Callable[[int], None],
        until: float,
        metrics: HostMetrics,
    ) -> None:
        self._way = way
        self._file = file
        self._server = server
        self._patience = patience
        self._stop = stop
        self._on_position = on_position
        self._until = until
        self._metrics = metrics
        self._running = RunningChecksum(file.checksum.kind) if file.checksum else RunningChecksum()
        self._position = 0
        self._failures = 0

    def chunks(self) -> Generator[bytes, None, None]:
        """Go through the file's bytes; a break is resumed at the byte where it was.

        Raises
        ------
        DamagedFileError
            At the first sign that size or checksum are not the recorded ones; at the end of the stream at the latest.
        ResumeRefusedError
            If the server does not go on at that byte.
        NgasFileMissingError, NgasAwayError, NgasRefusedError
            As `NgasClient.open` does; away means that patience is at its end.
        FetchAbandonedError
            If told to stop.
        """
        if self._file.size < _LARGE:
            yield from self._all()
            return
        asked, self._stop = self._stop, Stop()  # one of its own, for whoever takes the chunks may end before them
        with asked.calling(self._stop.tell):
            yield from read_ahead(self._all(), abandon=self._stop.tell)

    def _all(self) -> Iterator[bytes]:
        try:
            yield from self._stretch()
        except NgasAwayError as error:
            yield from self._again(error)
        self._check_checksum()

    def _again(self, broken: NgasAwayError | None) -> Iterator[bytes]:
        """Go on after a break; only here is anything set up for it, which would take as long as a small file."""
        retrying = self._patience.retrying(self._stop, failures=lambda: self._failures, until=self._until)
        for attempt in retrying:
            with attempt:
                if broken is not None:
                    before, broken = broken, None
                    raise before
                self._metrics.tried_again()
                yield from self._stretch()

    def _stretch(self) -> Iterator[bytes]:
        """Go on from the present position until the end or a break."""
        self._failures += 1
        self._stop.check()
        if self._position:
            log.info("transfer_resumed", file_id=self._file.file_id, server=self._server, position=self._position)
        file_id, version = self._file.file_id, self._file.version
        with self._way.open(
            self._server, file_id, version, start=self._position, stop=self._stop, until=self._until
        ) as body:
            self._check_extent(body)
            for chunk in body.chunks():
                self._take(chunk)
                yield chunk
                self._stop.check()
        self._stop.check()
        if self._position < self._file.size:
            raise NgasAwayError(
                f"{self._server} ended {self._file.file_id} after {self._position} of {self._file.size} bytes"
            )

    def _take(self, chunk: bytes) -> None:
        self._failures = 0
        self._position += len(chunk)
        self._metrics.came(len(chunk))
        self._running.add(chunk)
        if self._position > self._file.size:
            raise self._wrong_size(self._position)
        self._on_position(self._position)
        if time.monotonic() > self._until:
            raise NgasAwayError(
                f"{self._server} is too slow: {self._position} of {self._file.size} bytes of {self._file.file_id} "
                f"came within the {self._patience.seconds_for(self._file.size):.0f} s that a file of this size may take"
            )

    def _check_extent(self, body: Extent) -> None:
        if body.start != self._position:
            raise ResumeRefusedError(
                f"{self._server} began {self._file.file_id} at byte {body.start}, asked for {self._position}"
            )
        if body.total is not None and body.total != self._file.size:
            raise self._wrong_size(body.total)

    def _check_checksum(self) -> None:
        recorded, got = self._file.checksum, self._running.checksum
        if recorded is None:
            log.warning("file_without_checksum", file_id=self._file.file_id, server=self._server, computed=str(got))
        elif got != recorded:
            raise DamagedFileError.of_checksum(self._file.file_id, self._server, expected=recorded, got=got)

    def _wrong_size(self, got: int) -> DamagedFileError:
        return DamagedFileError.of_size(self._file.file_id, self._server, expected=self._file.size, got=got)
