"""A directory that a person wants files in: each appears whole and verified, or not at all."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from contracts.messages.parts import ObjectRef
from services.ngas_fetcher.client import CHUNK
from services.ngas_fetcher.errors import FolderError
from shared.objects import ObjectInfo


class Folder:
    """Puts files below a directory, under their own names; call `sync` when all are there.

    Parameters
    ----------
    root
        The directory, made if it is missing.
    """

    def __init__(self, *, root: Path) -> None:
        self.root = root.absolute()
        self._directories: set[Path] = set()

    def put(self, key: str, chunks: Iterable[bytes]) -> ObjectRef:
        """Write a file; its bytes are on the disk when this returns, its name after `sync`.

        Raises
        ------
        FolderError
            If the disk refuses.
        """
        path = self.root / key
        temporary = path.with_name(f".{uuid4().hex}.part")
        digest, size = hashlib.sha256(), 0
        try:
            with _told(path):
                self._make(path.parent)
                file = temporary.open("xb", buffering=0)
            with file:
                for chunk in chunks:
                    digest.update(chunk)
                    size += len(chunk)
                    with _told(path):
                        _write(file.fileno(), chunk)
                with _told(path):
                    os.fsync(file.fileno())
            with _told(path):
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return ObjectRef(key=key, size=size, sha256=digest.hexdigest())

    @contextmanager
    def open(self, ref: ObjectRef) -> Iterator[Iterator[bytes]]:
        """Read a file."""
        with _told(self.root / ref.key), (self.root / ref.key).open("rb") as file:
            yield iter(lambda: file.read(CHUNK), b"")

    def info(self, key: str) -> ObjectInfo | None:
        """Tell size and digest of a file, which is read for it; None if there is none."""
        path = self.root / key
        if not path.is_file():
            return None
        digest = hashlib.sha256()
        with _told(path), path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
            return ObjectInfo(key=key, size=file.tell(), sha256=digest.hexdigest())

    def delete(self, key: str) -> None:
        """Remove a file."""
        with _told(self.root / key):
            (self.root / key).unlink(missing_ok=True)

    def discard(self, folder: str) -> None:
        """Remove a directory with all that is in it."""
        shutil.rmtree(self.root / folder, ignore_errors=True)
        self._directories = {path for path in self._directories if not path.is_relative_to(self.root / folder)}

    def move(self, key: str, to: str) -> None:
        """Give a file another name."""
        with _told(self.root / to):
            self._make((self.root / to).parent)
            (self.root / key).replace(self.root / to)

    def sync(self) -> None:
        """Make all names last."""
        for directory in sorted(self._directories):
            with _told(directory):
                descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    def _make(self, directory: Path) -> None:
        if directory not in self._directories:
            directory.mkdir(parents=True, exist_ok=True)
            self._directories.add(directory)


def _write(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FolderError(f"{path} cannot be written or read: {error.strerror}; see the disk and its rights") from error
