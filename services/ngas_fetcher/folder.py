"""A directory that a person wants files in: each appears whole and verified, or not at all."""

import hashlib
import os
import shutil
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from posixpath import basename, dirname

from contracts.messages.parts import ObjectRef
from services.ngas_fetcher.body import CHUNK
from services.ngas_fetcher.errors import FolderError
from services.ngas_fetcher.settling import Settling, Written
from services.ngas_fetcher.unfinished import begin, beside, remove_unfinished
from shared.objects import ObjectInfo
from shared.objects.streams import Digest, measured, measured_aside

_HASHED_HERE = 8
"""Chunks that are hashed by who writes them; of a larger file the others are hashed beside."""


class Folder:
    """Puts files below a directory, under their own names; call `close` at the end.

    Parameters
    ----------
    root
        The directory, made if it is missing.
    """

    def __init__(self, *, root: Path) -> None:
        self.root = root.absolute()
        self._directories = dict[str, Path]()
        self._settling = Settling()

    def put(
        self,
        key: str,
        chunks: Iterable[bytes],
        *,
        at_most: int | None = None,  # noqa: ARG002  # a file needs no parts
    ) -> ObjectRef:
        """Write a file; it gets its name when it is on the disk, which is after the next look at any file.

        Raises
        ------
        FolderError
            If the disk refuses.
        """
        path = self.root / key
        digest = Digest()
        with _told(path):
            descriptor, temporary = begin(self._directory_of(key))
        try:
            with closing(_seen(chunks, digest)) as seen:
                for chunk in seen:
                    _write(path, descriptor, chunk)
        except BaseException:  # nothing partial stays, whatever happened; raised again
            os.close(descriptor)
            temporary.unlink(missing_ok=True)
            raise
        self._settling.add(Written(descriptor=descriptor, temporary=temporary, path=path), digest.size)
        return digest.ref(key)

    @contextmanager
    def open(self, ref: ObjectRef) -> Iterator[Iterator[bytes]]:
        """Read a file that was put."""
        with self.read(ref.key) as chunks:
            yield chunks

    @contextmanager
    def read(self, key: str) -> Iterator[Iterator[bytes]]:
        """Read a file, whoever put it there."""
        self.settle()
        with _told(self.root / key), (self.root / key).open("rb") as file:
            yield iter(lambda: file.read(CHUNK), b"")

    def info(self, key: str) -> ObjectInfo | None:
        """Tell size and digest of a file, which is read for it; None if there is none."""
        self.settle()
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
        self.settle()
        with _told(self.root / key):
            (self.root / key).unlink(missing_ok=True)

    @contextmanager
    def aside(self) -> Iterator[str]:
        """Begin keys of files that get their own names by `move`; what is not moved is removed at the end."""
        with _told(self.root):
            descriptor, mark = begin(self._directory_of(""))
        try:
            yield f"{beside(mark).name}/"
        finally:
            try:
                self._discard(beside(mark))
            finally:
                mark.unlink(missing_ok=True)
                os.close(descriptor)

    def sweep(self, keys: Iterable[str]) -> None:
        """Remove what killed processes left where these files belong."""
        for parent in {"", *map(dirname, keys)}:
            remove_unfinished(self.root / parent)

    def move(self, key: str, to: str) -> None:
        """Give a file another name."""
        self.settle()
        with _told(self.root / to):
            (self.root / key).replace(self._directory_of(to) / basename(to))

    def settle(self) -> None:
        """Give every file that is written its name."""
        with _told(self.root):
            self._settling.finish()

    def close(self) -> None:
        """Give every file its name, and make all names last."""
        with _told(self.root):
            self._settling.close()
        for directory in sorted(self._directories.values()):
            with _told(directory):
                descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    def _discard(self, folder: Path) -> None:
        self.settle()
        shutil.rmtree(folder, ignore_errors=True)
        self._directories = {
            parent: path for parent, path in self._directories.items() if not path.is_relative_to(folder)
        }

    def _directory_of(self, key: str) -> Path:
        """Return the directory of a file, made if it is missing."""
        parent = dirname(key)
        directory = self._directories.get(parent)
        if directory is None:
            directory = self.root / parent
            directory.mkdir(parents=True, exist_ok=True)
            self._directories[parent] = directory
        return directory


def _seen(chunks: Iterable[bytes], digest: Digest) -> Generator[bytes, None, None]:
    """Pass chunks on and let the digest see them."""
    coming = iter(chunks)
    yield from measured(islice(coming, _HASHED_HERE), digest)
    if (chunk := next(coming, None)) is not None:
        with closing(measured_aside(chain([chunk], coming), digest)) as seen:
            yield from seen


def _write(path: Path, descriptor: int, chunk: bytes) -> None:
    try:
        view = memoryview(chunk)
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise _refused(path, error) from error


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> FolderError:
    return FolderError(f"{path} cannot be written or read: {error.strerror}; see the disk and its rights")
