"""One file from one server: resumed where it broke, counted and summed while it passes."""

from collections.abc import Callable, Iterator

import structlog

from services.ngas_fetcher.checksums import RunningChecksum
from services.ngas_fetcher.client import Body, NgasClient
from services.ngas_fetcher.errors import DamagedFileError, NgasAwayError, ResumeRefusedError
from services.ngas_fetcher.location import ArchiveFile
from services.ngas_fetcher.patience import Patience, Stop

log = structlog.get_logger()


class Transfer:
    """Streams a file; whoever takes its chunks to the end has the file as the archive recorded it.

    Parameters
    ----------
    client
        Speaks to the server.
    file
        What is fetched.
    server
        From where.
    patience
        When a broken transfer is resumed.
    stop
        Ends the transfer between two chunks.
    on_position
        Told how many bytes have passed, after every chunk.
    """

    def __init__(
        self,
        *,
        client: NgasClient,
        file: ArchiveFile,
        server: str,
        patience: Patience,
        stop: Stop,
        on_position: Callable[[int], None],
    ) -> None:
        self._client = client
        self._file = file
        self._server = server
        self._patience = patience
        self._stop = stop
        self._on_position = on_position
        self._running = RunningChecksum(file.checksum.kind) if file.checksum else RunningChecksum()
        self._position = 0
        self._failures = 0

    def chunks(self) -> Iterator[bytes]:
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
        for attempt in self._patience.retrying(self._stop, failures=lambda: self._failures):
            with attempt:
                yield from self._stretch()
        self._check_checksum()

    def _stretch(self) -> Iterator[bytes]:
        """Go on from the present position until the end or a break."""
        self._failures += 1
        self._stop.check()
        if self._position:
            log.info("transfer_resumed", file_id=self._file.file_id, server=self._server, position=self._position)
        with self._client.open(self._server, self._file.file_id, self._file.version, start=self._position) as body:
            self._check_extent(body)
            for chunk in body.chunks():
                self._take(chunk)
                yield chunk
                self._stop.check()
        if self._position < self._file.size:
            raise NgasAwayError(
                f"{self._server} ended {self._file.file_id} after {self._position} of {self._file.size} bytes"
            )

    def _take(self, chunk: bytes) -> None:
        self._failures = 0
        self._position += len(chunk)
        self._running.add(chunk)
        if self._position > self._file.size:
            raise self._wrong_size(self._position)
        self._on_position(self._position)

    def _check_extent(self, body: Body) -> None:
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
