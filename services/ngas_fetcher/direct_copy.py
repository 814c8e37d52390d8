"""Files by way of storage that we share with an NGAS server: it copies, we read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from services.ngas_fetcher.client import CHUNK, NgasClient
from services.ngas_fetcher.errors import NgasAwayError
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
    def open(self, server: str, file_id: str, version: int, *, start: int, stop: Stop) -> Iterator[CopiedFile]:
        """Have a file copied and read it; see `NgasClient.copy` for errors."""
        path = self._directory / f"alma-restore-{uuid4().hex}"  # never a name from outside
        try:
            self._client.copy(server, file_id, version, str(path), stop=stop)
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
