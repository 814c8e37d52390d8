"""The object store in a directory of one file system, local or shared.

``objects/KEY`` is a symbolic link to ``data/KEY/ID.SIZE.SHA256``: one atomic name
holds place, size and digest, so that an object cannot be seen without its digest,
and people find the file under its key. Data are written to ``tmp/`` and synced,
moved to ``data/``, and named last. No window remains: before the link is replaced
readers see the old object, afterwards the new one.

Who writes holds a lock on its temporary file, which the kernel releases when the
process dies; temporary files without such a lock are removed whenever a store is
opened. Data that were moved but not named (killed in between) are removed by the
next write or removal of their key.
"""

import errno
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from contracts.messages.parts import ObjectRef
from shared.errors import DependencyAwayError, MisconfiguredError, RestoreError
from shared.objects.base import CannotSignError, IntegrityError, ObjectInfo, ObjectMissingError
from shared.objects.files import appearing, seal, sync_directory, write_whole
from shared.objects.keys import check_key, check_prefix
from shared.objects.locks import locked_temporary, remove_abandoned
from shared.objects.naming import Absent, Condition, Named, Naming, Unchanged
from shared.objects.streams import CHUNK_BYTES, Digest, check_same, heeded, verified


class DirectoryStore:
    """Keeps objects as files below a directory.

    Parameters
    ----------
    root
        The directory, created if it is missing. Several processes may share it;
        on a network file system its locks have to work across hosts (NFS 4 does).
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root.absolute())
        self._temporary = os.path.join(self._root, "tmp")
        self._naming = Naming(self._root)
        self._reachable = _Reachable(self._root)
        with self._reachable:
            self._naming.prepare()
            os.makedirs(self._temporary, exist_ok=True)
            remove_abandoned(self._temporary)

    def put(
        self,
        key: str,
        chunks: Iterable[bytes],
        *,
        expected: ObjectRef | None = None,
        at_most: int | None = None,  # noqa: ARG002  # a file needs no parts
    ) -> ObjectRef:
        """Store a stream, replacing what was there; see `ObjectStore.put`."""
        return self._store(key, chunks, expected=expected)

    def put_bytes(self, key: str, data: bytes) -> ObjectRef:
        """Store bytes, replacing what was there."""
        return self._store(key, [data])

    def create(self, key: str, data: bytes) -> ObjectRef:
        """Store bytes unless the key exists; see `ObjectStore.create`."""
        return self._store(key, [data], condition=Absent())

    def replace(self, key: str, data: bytes, *, expected: ObjectRef) -> ObjectRef:
        """Store bytes if the object is still the expected one; see `ObjectStore.replace`."""
        return self._store(key, [data], condition=Unchanged(expected))

    def open(self, ref: ObjectRef) -> AbstractContextManager[Iterator[bytes]]:
        """Stream an object, checked at the end; see `ObjectStore.open`."""
        return self._stream(ref)

    def open_part(self, ref: ObjectRef, *, offset: int, length: int) -> AbstractContextManager[Iterator[bytes]]:
        """Stream a part of an object; see `ObjectStore.open_part`."""
        return self._part(ref, offset, length)

    def read(self, ref: ObjectRef) -> bytes:
        """Read a small object whole."""
        with self._data_of(ref.key) as (named, file):
            check_same(named.info, ref)
            return self._whole(file, ref)

    def get(self, key: str) -> bytes:
        """Read a small object whole by its key."""
        with self._data_of(key) as (named, file):
            return self._whole(file, named.info.ref)

    def info(self, key: str) -> ObjectInfo | None:
        """Tell an object's size and digest, or None."""
        with self._reachable:
            named = self._naming.find(check_key(key))
            return named.info if named else None

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """List objects in order of their keys; what changes meanwhile may or may not be seen."""
        objects = self._naming.walk(check_prefix(prefix))
        while True:
            with self._reachable:
                found = next(objects, None)
            if found is None:
                return
            yield found

    def folders(self, prefix: str) -> Sequence[str]:
        """Name the folders directly below a prefix; see `ObjectStore.folders`."""
        with self._reachable:
            return self._naming.folders(check_prefix(prefix))

    def delete(self, key: str) -> None:
        """Remove an object; who reads it now reads it to its end."""
        with self._reachable:
            self._naming.remove(check_key(key))

    def fetch_to(self, ref: ObjectRef, path: Path, *, heed: Callable[[], None] | None = None) -> None:
        """Put a verified, read-only file at ``path``: a hard link on the same file system, else a copy.

        A linked file shares its bytes with the store. It is read-only, but root and
        whoever changes its mode can still spoil the object: copy before editing.
        """
        with self._data_of(ref.key) as (named, file):
            check_same(named.info, ref)
            with closing(self._verified(file, ref)) as chunks:
                for _ in heeded(chunks, heed):
                    pass
            if not _linked(named.path, path):
                file.seek(0)
                with closing(self._verified(file, ref)) as chunks:
                    write_whole(path, heeded(chunks, heed))

    def sign(self, ref: ObjectRef, *, expires: timedelta, file_name: str | None = None) -> str:  # noqa: ARG002  (see the Protocol)
        """Refuse: nobody serves the directory; see `ObjectStore.sign`."""
        raise CannotSignError(
            f"{ref.key} lies in the directory {self._root}, which gives no links; "
            "let the request desk serve it, or keep objects on an S3 server"
        )

    def sweep(self, older_than: timedelta) -> int:  # noqa: ARG002  (a dead writer's lock is free at once)
        """Remove temporary files whose writers are dead, whatever their age."""
        with self._reachable:
            return remove_abandoned(self._temporary)

    def is_ready(self) -> bool:
        """Whether the directory is there and may be written."""
        return os.access(self._temporary, os.W_OK | os.X_OK)

    def close(self) -> None:
        """Do nothing: no connection is held."""

    def _store(
        self,
        key: str,
        chunks: Iterable[bytes],
        *,
        expected: ObjectRef | None = None,
        condition: Condition | None = None,
    ) -> ObjectRef:
        check_key(key)
        if condition:
            with self._reachable:
                condition.check(key, self._naming.find(key))  # nothing is written in vain
        digest = Digest()
        with self._temporary_file() as (path, file):
            for chunk in chunks:  # what the source raises passes through as it is
                digest.update(chunk)
                with self._reachable:
                    file.write(chunk)
            ref = digest.ref(key)
            if expected:
                check_same(ref, expected)
            with self._reachable:
                seal(file)
                self._naming.name(path, ref, condition=condition)
        return ref

    @contextmanager
    def _temporary_file(self) -> Iterator[tuple[str, BinaryIO]]:
        with ExitStack() as stack:
            with self._reachable:
                self._naming.check_present()
                opened = stack.enter_context(locked_temporary(self._temporary))
            yield opened

    @contextmanager
    def _stream(self, ref: ObjectRef) -> Iterator[Iterator[bytes]]:
        with self._data_of(ref.key) as (named, file):
            check_same(named.info, ref)
            with closing(self._verified(file, ref)) as chunks:
                yield chunks

    @contextmanager
    def _part(self, ref: ObjectRef, offset: int, length: int) -> Iterator[Iterator[bytes]]:
        with self._data_of(ref.key) as (named, file):
            check_same(named.info, ref)
            file.seek(offset)
            yield self._chunks(file, length)

    @contextmanager
    def _data_of(self, key: str) -> Iterator[tuple[Named, BinaryIO]]:
        with self._reachable:
            named, file = self._opened(check_key(key))
        with file:
            yield named, file

    def _opened(self, key: str) -> tuple[Named, BinaryIO]:
        """Open an object's data; another version may take its place between the look at its name and here."""
        before = None
        while named := self._naming.find(key):
            if named == before:
                raise IntegrityError(f"{key}: its data {named.path} are gone; get it anew from its source")
            try:
                return named, open(named.path, "rb")
            except FileNotFoundError:
                before = named
        raise ObjectMissingError(f"There is no object {key} in {self._root}; it was deleted or never stored")

    def _whole(self, file: BinaryIO, ref: ObjectRef) -> bytes:
        """Read a small object at once, and a byte more, which it must not have."""
        with self._reachable:
            data = file.read(ref.size + 1)
        digest = Digest()
        digest.update(data)
        check_same(digest.info(ref.key), ref)
        return data

    def _verified(self, file: BinaryIO, ref: ObjectRef) -> Generator[bytes, None, None]:
        return verified(self._chunks(file), ref)

    def _chunks(self, file: BinaryIO, length: int | None = None) -> Iterator[bytes]:
        left = length
        while left is None or left > 0:
            with self._reachable:
                chunk = file.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left))
            if not chunk:
                return
            left = None if left is None else left - len(chunk)
            yield chunk


def _linked(source: str, path: Path) -> bool:
    """Try a hard link; False if the file systems differ or refuse links."""
    try:
        with suppress(FileExistsError):
            os.link(source, path)
            sync_directory(path.parent)
            return True
        with appearing(path) as temporary:
            os.link(source, temporary)
    except OSError:
        return False
    return True


class _Reachable:
    """Says in our terms what the file system refuses, as often as it is entered."""

    def __init__(self, root: str) -> None:
        self._root = root

    def __enter__(self) -> None:
        """Nothing is refused yet."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            raise _in_our_terms(error, self._root) from error


def _in_our_terms(error: OSError, root: str) -> RestoreError:
    if isinstance(error, PermissionError):
        return MisconfiguredError(
            f"The object store {root} refuses {error.filename}; give this user write access to the directory"
        )
    if error.errno in (errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return MisconfiguredError(f"The object store {root} cannot be used ({error}); set another root")
    return DependencyAwayError(f"The object store {root} does not work now: {error}; look at its disk")
