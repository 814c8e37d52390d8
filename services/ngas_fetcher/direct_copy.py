"""Files by way of storage that we share with an NGAS server: it copies, we read."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from services.ngas_fetcher.body import CHUNK
from services.ngas_fetcher.client import NgasClient
from services.ngas_fetcher.errors import NgasAwayError
from services.ngas_fetcher.exchange import Waiting
from services.ngas_fetcher.stop import Stop


@dataclass(frozen=True, kw_only=True)
class CopiedFile:
    """A file that the server has put on the shared storage."""

    path: Path
    start: int
    total: int

    def chunks(self) -> Iterator[bytes]:
        """Read it in pieces of 2 MiB.

        Raises
        ------
        NgasAwayError
            If it cannot be read.
        """
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(self.start)
                while chunk := file.read(CHUNK):
                    yield chunk
        except OSError as error:
            raise NgasAwayError(f"The direct copy {self.path} cannot be read: {error}") from error


class DirectCopy:
    """Gets files by ``processing=ngamsDirectCopyDppi``; a copy is removed as soon as it was read.

    Parameters
    ----------
    client
        Speaks to the servers.
    directory
        Storage that the servers see under the same path.
    """

    def __init__(self, *, client: NgasClient, directory: Path) -> None:
        self._client = client
        self._directory = directory

    @contextmanager
    def open(
        self, server: str, file_id: str, version: int, *, start: int, stop: Stop, until: float
    ) -> Iterator[CopiedFile]:
        """Have a file copied and read it; see `NgasClient.copy` for errors.

        The server says nothing before the copy is complete: it stalls if the copy does not grow.
        """
        path = self._directory / f"alma-restore-{uuid4().hex}"  # never a name from outside
        growth = _Growth(path)
        waiting = Waiting(stop=stop, until=until, is_going_on=lambda: growth.goes_on() and time.monotonic() < until)
        try:
            self._client.copy(server, file_id, version, str(path), waiting=waiting)
            try:
                size = path.stat().st_size
            except OSError as error:
                raise NgasAwayError(
                    f"{server} says that it copied {file_id} to {path}, but we do not see it ({error}); "
                    "is the storage shared, under the same path?"
                ) from error
            yield CopiedFile(path=path, start=start, total=size)
        finally:
            path.unlink(missing_ok=True)


class _Growth:
    """Tells whether a file grew since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = 0

    def goes_on(self) -> bool:
        before, self._size = self._size, self._path.stat().st_size if self._path.exists() else 0
        return self._size > before
