"""What every object store promises, whatever holds the bytes.

* An object is visible whole or not at all: nothing is named before its last byte
  is stored and its digest is known.
* The digest is our own SHA-256, computed while the bytes pass, kept with the
  object and checked whenever they are read to the end.
* ``create`` and ``replace`` are conditional: of several who create a key, or replace
  the same version of an object, one succeeds.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Protocol

from contracts.messages.parts import ObjectRef
from shared.errors import RestoreError


class ObjectMissingError(RestoreError):
    """There is no object under this key."""

    code = "object_missing"


class ObjectExistsError(RestoreError):
    """There is an object under this key already; ``create`` never overwrites."""

    code = "object_exists"


class ObjectChangedError(RestoreError):
    """The object is no longer the one that was to be replaced; nothing was written."""

    code = "object_changed"


class CannotSignError(RestoreError):
    """No link can be made: the store has none, or none that lasts so long."""

    code = "cannot_sign"


class IntegrityError(RestoreError):
    """Bytes are not those that were promised: size or SHA-256 differ."""

    code: ClassVar[str] = "integrity"


@dataclass(frozen=True)
class ObjectInfo:
    """What the store knows of an object."""

    key: str
    size: int
    sha256: str

    @property
    def ref(self) -> ObjectRef:
        """The reference that goes into a message."""
        return ObjectRef(key=self.key, size=self.size, sha256=self.sha256)


class ObjectStore(Protocol):
    """Holds objects under keys such as ``asdm/uid___A002_X1_X2/manifest.json``.

    Every method raises `DependencyAwayError` if the store cannot be reached, and
    `InvalidKeyError` for a key that not every store can hold. A key cannot lie below
    another one (``a`` and ``a/b``), since a directory cannot hold both.
    """

    def put(
        self, key: str, chunks: Iterable[bytes], *, expected: ObjectRef | None = None, at_most: int | None = None
    ) -> ObjectRef:
        """Store a stream of bytes, replacing what was there, with bounded memory.

        If ``chunks`` raises, nothing becomes visible and the error passes through.

        Parameters
        ----------
        expected
            What has to come.
        at_most
            How many bytes come at most, if that alone is known: parts of an upload then have the one size that is
            enough, instead of growing, and memory is known.

        Raises
        ------
        IntegrityError
            If ``expected`` is given and size or digest differ; nothing becomes visible.
        """

    def put_bytes(self, key: str, data: bytes) -> ObjectRef:
        """Store bytes that are in memory, replacing what was there."""

    def create(self, key: str, data: bytes) -> ObjectRef:
        """Store bytes unless the key exists; exactly one of several callers succeeds.

        Raises
        ------
        ObjectExistsError
            If the key exists.
        """

    def replace(self, key: str, data: bytes, *, expected: ObjectRef) -> ObjectRef:
        """Store bytes if the object is still the expected one; exactly one of several callers succeeds.

        The basis of `shared.objects.lease`: read, decide, replace what was read.

        Raises
        ------
        ObjectChangedError
            If the object is another than ``expected`` or gone.
        """

    def open(self, ref: ObjectRef) -> AbstractContextManager[Iterator[bytes]]:
        """Stream an object's bytes (chunks of about 1 MiB) and check them against the reference at the end.

        Raises
        ------
        ObjectMissingError
            If there is no such object.
        IntegrityError
            At once if the object kept under this key is known to be another than ``ref``
            says, else at the end of the stream, if size or digest differ.
        """

    def open_part(self, ref: ObjectRef, *, offset: int, length: int) -> AbstractContextManager[Iterator[bytes]]:
        """Stream a part of an object, from a byte within it on and no further than its end.

        The object has to be the one that ``ref`` says, but the bytes are not checked: a digest is of the whole.

        Raises
        ------
        ObjectMissingError, IntegrityError
            If there is no such object, or another.
        """

    def read(self, ref: ObjectRef) -> bytes:
        """Read a small object whole, checked against the reference."""

    def get(self, key: str) -> bytes:
        """Read a small object whole by its key, checked against the digest kept with it."""

    def info(self, key: str) -> ObjectInfo | None:
        """Tell an object's size and digest, or None if there is none."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """List the objects whose key begins with ``prefix``, in order of their keys."""

    def folders(self, prefix: str) -> Sequence[str]:
        """Name the folders directly below ``prefix``, each as a prefix that ends with a slash, in order.

        No object is looked at, so that many may lie there: ``products/`` gives ``products/uid___A002_X1_X2/`` …
        A folder whose last object was deleted may be named for a while.
        """

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if there is none."""

    def fetch_to(self, ref: ObjectRef, path: Path, *, heed: Callable[[], None] | None = None) -> None:
        """Write an object to a read-only file that appears whole, verified, or not at all.

        It replaces a file that is there. Where possible it is a hard link: copy it before editing it.

        Parameters
        ----------
        heed
            Called before each chunk; what it raises passes through, and no file appears.
        """

    def sign(self, ref: ObjectRef, *, expires: timedelta, file_name: str | None = None) -> str:
        """Make a link by which anybody can download the object with GET (also in ranges) until it expires.

        A link names a key: what replaces the object later is downloaded by it too. The
        downloader gets the bytes from the server, so that our digest is not checked.

        Parameters
        ----------
        ref
            The object.
        expires
            From a second to seven days.
        file_name
            The name that a browser gives the file; the key's last name if None.

        Raises
        ------
        CannotSignError
            If this store gives no links (a directory), or none that lasts so long.
        ObjectMissingError, IntegrityError
            If there is no such object, or another.
        """

    def sweep(self, older_than: timedelta) -> int:
        """Remove what killed writers left behind, and tell how many things that was.

        ``older_than`` must be longer than any write lasts; an adapter that can tell
        that a writer is dead need not wait for it.
        """

    def is_ready(self) -> bool:
        """Whether the store answers right now."""

    def close(self) -> None:
        """Release connections."""
