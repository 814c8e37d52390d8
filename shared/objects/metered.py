"""An object store that counts bytes and seconds that go into it and come out of it, and shows its calls in traces."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry

from contracts.messages.parts import ObjectRef
from shared import tracing
from shared.declared import CounterMetric, HistogramMetric, Label, Metric
from shared.errors import RestoreError
from shared.objects.base import ObjectChangedError, ObjectExistsError, ObjectInfo, ObjectStore

_DIRECTION = Label("direction", "`written` into the store or `read` from it", ("written", "read"))

BYTES = CounterMetric(
    name="alma_restore_store_bytes",
    unit="bytes",
    meaning="Bytes of objects that were written and read whole, and of streams as far as they were read",
    labels=(_DIRECTION,),
)
SECONDS = HistogramMetric(
    name="alma_restore_store_seconds",
    unit="seconds",
    meaning="Seconds that an object took to be written or read, its maker's or reader's own time in them",
    labels=(_DIRECTION,),
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300, 1800, 3 * 3600),
)
ERRORS = CounterMetric(
    name="alma_restore_store_errors",
    unit="errors",
    meaning="Writes and reads that ended with an error: the store is away, or an object missing or damaged",
    labels=(_DIRECTION,),
)
METRICS: tuple[Metric, ...] = (BYTES, SECONDS, ERRORS)


class MeteredStore:
    """Hands all on to a store and counts.

    Parameters
    ----------
    objects
        The store.
    registry
        Where the metrics are declared.
    """

    def __init__(self, *, objects: ObjectStore, registry: CollectorRegistry) -> None:
        self._objects = objects
        self._bytes = BYTES.made(registry)
        self._seconds = SECONDS.made(registry)
        self._errors = ERRORS.made(registry)

    def put(
        self, key: str, chunks: Iterable[bytes], *, expected: ObjectRef | None = None, at_most: int | None = None
    ) -> ObjectRef:
        """Store a stream of bytes; see `ObjectStore`, as for all that follows."""
        with self._timed("written", "put", key):
            return self._written(self._objects.put(key, chunks, expected=expected, at_most=at_most))

    def put_bytes(self, key: str, data: bytes) -> ObjectRef:
        """Store bytes that are in memory."""
        with self._timed("written", "put_bytes", key):
            return self._written(self._objects.put_bytes(key, data))

    def create(self, key: str, data: bytes) -> ObjectRef:
        """Store bytes unless the key exists."""
        with self._timed("written", "create", key):
            return self._written(self._objects.create(key, data))

    def replace(self, key: str, data: bytes, *, expected: ObjectRef) -> ObjectRef:
        """Store bytes if the object is still the expected one."""
        with self._timed("written", "replace", key):
            return self._written(self._objects.replace(key, data, expected=expected))

    @contextmanager
    def open(self, ref: ObjectRef) -> Iterator[Iterator[bytes]]:
        """Stream an object's bytes."""
        with self._timed("read", "open", ref.key), self._objects.open(ref) as chunks:
            yield self._passing(chunks)

    @contextmanager
    def open_part(self, ref: ObjectRef, *, offset: int, length: int) -> Iterator[Iterator[bytes]]:
        """Stream a part of an object."""
        with (
            self._timed("read", "open_part", ref.key),
            self._objects.open_part(ref, offset=offset, length=length) as chunks,
        ):
            yield self._passing(chunks)

    def read(self, ref: ObjectRef) -> bytes:
        """Read a small object whole."""
        with self._timed("read", "read", ref.key):
            return self._read(self._objects.read(ref))

    def get(self, key: str) -> bytes:
        """Read a small object whole by its key."""
        with self._timed("read", "get", key):
            return self._read(self._objects.get(key))

    def info(self, key: str) -> ObjectInfo | None:
        """Tell an object's size and digest."""
        with _called("info", key):
            return self._objects.info(key)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """List objects."""
        return self._objects.list(prefix)

    def folders(self, prefix: str) -> Sequence[str]:
        """Name folders."""
        with _called("folders", prefix):
            return self._objects.folders(prefix)

    def delete(self, key: str) -> None:
        """Remove an object."""
        with _called("delete", key):
            self._objects.delete(key)

    def fetch_to(self, ref: ObjectRef, path: Path, *, heed: Callable[[], None] | None = None) -> None:
        """Write an object to a file."""
        with self._timed("read", "fetch_to", ref.key):
            self._objects.fetch_to(ref, path, heed=heed)
        self._bytes.labels("read").inc(ref.size)

    def sign(self, ref: ObjectRef, *, expires: timedelta, file_name: str | None = None) -> str:
        """Make a link."""
        return self._objects.sign(ref, expires=expires, file_name=file_name)

    def sweep(self, older_than: timedelta) -> int:
        """Remove what killed writers left behind."""
        return self._objects.sweep(older_than)

    def is_ready(self) -> bool:
        """Whether the store answers right now."""
        return self._objects.is_ready()

    def close(self) -> None:
        """Release connections."""
        self._objects.close()

    @contextmanager
    def _timed(self, direction: str, what: str, key: str) -> Iterator[None]:
        """Count seconds, and errors; that another has created or replaced a key before is a promise kept."""
        began, outrun = time.monotonic(), None
        try:
            with _called(what, key):
                try:
                    yield
                except (ObjectExistsError, ObjectChangedError) as error:
                    outrun = error
        except RestoreError:
            self._errors.labels(direction).inc()
            raise
        finally:
            self._seconds.labels(direction).observe(time.monotonic() - began)
        if outrun is not None:
            raise outrun

    def _written(self, ref: ObjectRef) -> ObjectRef:
        self._bytes.labels("written").inc(ref.size)
        return ref

    def _read(self, data: bytes) -> bytes:
        self._bytes.labels("read").inc(len(data))
        return data

    def _passing(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._bytes.labels("read").inc(len(chunk))
            yield chunk


def _called(what: str, key: str) -> AbstractContextManager[object]:
    """Record the call in the trace that it is made for, if there is one."""
    return tracing.calling(f"object store {what}", {"alma_restore.object.key": key})
