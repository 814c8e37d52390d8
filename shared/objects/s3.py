"""The object store in a bucket of an S3 server.

An object lies under its own key, as it is. S3 wants metadata before the first byte,
a digest is known after the last. So: what fits into one part, and what comes with
an expected digest, carries ``sha256`` as metadata. Any other stream carries only the
id of its ``writer``; a small record ``.digests/WRITER`` with the digest is stored
after the last part and before the upload is completed. Completion is atomic, so
object and digest become visible together, also when an object is replaced, and
nothing is copied. Who is killed in between leaves parts or a record that nothing
names; `S3Store.sweep` removes them. Objects without a digest are not ours: invisible.

The ``writer`` also tells a writer whose answer was lost whether it was the one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from threading import Lock
from uuid import uuid4

from minio.error import S3Error

from contracts.messages.parts import ObjectRef
from shared.errors import MisconfiguredError, RestoreError
from shared.objects.base import IntegrityError, ObjectChangedError, ObjectExistsError, ObjectInfo, ObjectMissingError
from shared.objects.files import write_whole
from shared.objects.keys import check_key, check_prefix
from shared.objects.parts import cut
from shared.objects.s3_client import Headers, S3Client, code_of, in_our_terms
from shared.objects.s3_digests import SHA256_HEADER, WRITER_HEADER, Digests
from shared.objects.s3_download import Download, download_part, download_whole
from shared.objects.s3_links import Links
from shared.objects.s3_upload import MultipartUpload
from shared.objects.settings import S3Settings
from shared.objects.streams import Digest, check_same, crc32c, heeded, measured, ref_of, verified

LISTED_AT_ONCE = 256
ASKING_AT_ONCE = 8
CRC32C_HEADER = "x-amz-checksum-crc32c"
CONDITION_CODES = ("PreconditionFailed", "ConditionalRequestConflict")


class S3Store:
    """Keeps objects in a bucket. The server is first spoken to when the store is used.

    Parameters
    ----------
    settings
        Server, bucket, keys and timeouts.
    """

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        self._client = S3Client(
            settings,
            connect_timeout=settings.connect_timeout_seconds,
            read_timeout=settings.read_timeout_seconds,
            retries=settings.retries,
        )
        self._probe = S3Client(settings, connect_timeout=2, read_timeout=5, retries=0)
        self._digests = Digests(client=self._client)
        self._links = Links(settings)
        self._bucket_lock = Lock()
        self._bucket_seen = False

    def put(
        self, key: str, chunks: Iterable[bytes], *, expected: ObjectRef | None = None, at_most: int | None = None
    ) -> ObjectRef:
        """Store a stream, replacing what was there; see `ObjectStore.put`.

        Memory: `parts.upload_bytes` if the size is known (80 MiB up to 156 GiB); of untold size, the parts grow.
        """
        check_key(key)
        digest = Digest()
        parts = cut(measured(chunks, digest), expected.size if expected else at_most)
        first, second = next(parts, b""), next(parts, None)
        if second is not None:
            return self._put_parts(key, chain([first, second], parts), digest, expected)
        ref = digest.ref(key)
        if expected:
            check_same(ref, expected)
        self._put_at_once(ref, first, {})
        return ref

    def put_bytes(self, key: str, data: bytes) -> ObjectRef:
        """Store bytes, replacing what was there."""
        return self.put(key, [data], expected=ref_of(check_key(key), data))

    def create(self, key: str, data: bytes) -> ObjectRef:
        """Store bytes unless the key exists; see `ObjectStore.create`."""
        ref = ref_of(check_key(key), data)
        try:
            self._put_if(ref, data, {"If-None-Match": "*"})
        except _ConditionFailedError as error:
            raise ObjectExistsError(f"The object {key} exists already; it was left as it is") from error
        return ref

    def replace(self, key: str, data: bytes, *, expected: ObjectRef) -> ObjectRef:
        """Store bytes if the object is still the expected one; see `ObjectStore.replace`."""
        self._ready_bucket()
        found = self._digests.version(check_key(key))
        if found is None or found.info.ref != expected.model_copy(update={"key": key}):
            raise ObjectChangedError(_changed(key))
        ref = ref_of(key, data)
        try:
            self._put_if(ref, data, {"If-Match": found.etag})
        except _ConditionFailedError as error:
            raise ObjectChangedError(_changed(key)) from error
        if found.recorded_by:
            self._digests.forget(found.recorded_by)
        return ref

    def open(self, ref: ObjectRef) -> AbstractContextManager[Iterator[bytes]]:
        """Stream an object, checked at the end; see `ObjectStore.open`."""
        return self._stream(ref)

    def open_part(self, ref: ObjectRef, *, offset: int, length: int) -> AbstractContextManager[Iterator[bytes]]:
        """Stream a part of an object; see `ObjectStore.open_part`."""
        check_same(self._existing(ref), ref)
        return download_part(self._client, ref.key, offset=offset, length=min(length, ref.size - offset))

    def read(self, ref: ObjectRef) -> bytes:
        """Read a small object whole."""
        with self._stream(ref) as chunks:
            return b"".join(chunks)

    def get(self, key: str) -> bytes:
        """Read a small object whole by its key."""
        self._ready_bucket()
        while True:
            with Download(client=self._client, key=check_key(key)) as download:
                info = self._digests.told_by(key, download.headers)
                if info:
                    return b"".join(verified(download.chunks(), info.ref))
            current = self.info(key)  # replaced in between, and the digest of the old one is gone
            if current is None:
                raise ObjectMissingError(f"The object {key} in {self._client.bucket} has no digest: it is not ours")
            try:
                return self.read(current.ref)
            except IntegrityError:
                # Either replaced once more, which is as well the next time, or damaged.
                if self.info(key) == current:
                    raise

    def info(self, key: str) -> ObjectInfo | None:
        """Tell an object's size and digest, or None."""
        self._ready_bucket()
        return self._digests.find(check_key(key))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """List objects in order of their keys; all keys are held in memory, since not every server sorts them."""
        check_prefix(prefix)
        self._ready_bucket()
        with in_our_terms(self._client, f"list of {prefix}"):
            found = self._client.list_objects(self._client.bucket, prefix=prefix, recursive=True)
            keys = sorted(name for item in found if (name := item.object_name) and not name.startswith("."))
        with ThreadPoolExecutor(ASKING_AT_ONCE, thread_name_prefix="s3-list") as threads:
            for start in range(0, len(keys), LISTED_AT_ONCE):
                batch = keys[start : start + LISTED_AT_ONCE]
                yield from (info for info in threads.map(self._digests.find, batch) if info)

    def folders(self, prefix: str) -> Sequence[str]:
        """Name the folders directly below a prefix; see `ObjectStore.folders`."""
        check_prefix(prefix)
        self._ready_bucket()
        with in_our_terms(self._client, f"list of {prefix}"):
            return sorted(name for name in self._client.folders(prefix) if not name.startswith("."))

    def delete(self, key: str) -> None:
        """Remove an object and the record of its digest."""
        self._ready_bucket()
        writer = self._digests.recorded_writer_of(check_key(key))
        with in_our_terms(self._client, key):
            self._client.remove_object(self._client.bucket, key)
        if writer:
            self._digests.forget(writer)

    def fetch_to(self, ref: ObjectRef, path: Path, *, heed: Callable[[], None] | None = None) -> None:
        """Download to a verified, read-only file that appears whole or not at all; see `ObjectStore.fetch_to`."""
        with self._stream(ref) as chunks:
            write_whole(path, heeded(chunks, heed))

    def sign(self, ref: ObjectRef, *, expires: timedelta, file_name: str | None = None) -> str:
        """Make a link that ends by itself; see `ObjectStore.sign`."""
        check_same(self._existing(ref), ref)
        return self._links.link(ref.key, expires=expires, file_name=file_name)

    def sweep(self, older_than: timedelta) -> int:
        """Abort uploads begun, and remove records written, so long ago that their writers must be dead."""
        self._ready_bucket()
        before = datetime.now(UTC) - older_than
        with in_our_terms(self._client, "list of uploads"):
            abandoned = [(key, upload) for key, upload, begun in self._client.uploads() if begun < before]
        for key, upload in abandoned:
            with in_our_terms(self._client, key):
                self._client.abort_upload(key, upload)
        return len(abandoned) + self._digests.sweep(before)

    def is_ready(self) -> bool:
        """Whether the server answers within seconds and has the bucket, or lets us create it."""
        try:
            with in_our_terms(self._probe, "bucket"):
                return self._probe.bucket_exists(self._probe.bucket) or self._settings.create_bucket
        except RestoreError:
            return False

    def close(self) -> None:
        """Release connections."""
        self._client.close()
        self._probe.close()

    def _existing(self, ref: ObjectRef) -> ObjectInfo:
        found = self.info(ref.key)
        if found is None:
            raise ObjectMissingError(f"There is no object {ref.key} in {self._client.bucket}; it was deleted")
        return found

    def _put_at_once(self, ref: ObjectRef, data: bytes, headers: Headers) -> None:
        self._ready_bucket()
        with in_our_terms(self._client, ref.key):
            self._client.put(ref.key, data, {SHA256_HEADER: ref.sha256, CRC32C_HEADER: crc32c(data), **headers})

    def _put_if(self, ref: ObjectRef, data: bytes, condition: Headers) -> None:
        writer = uuid4().hex
        try:
            self._put_at_once(ref, data, {**condition, WRITER_HEADER: writer})
        except RestoreError as error:
            if code_of(error) not in CONDITION_CODES and not isinstance(error, ObjectMissingError):
                raise
            # A request whose answer was lost is sent again, and then it finds its own object.
            if self._digests.writer_of(ref.key) != writer:
                raise _ConditionFailedError from error

    def _put_parts(self, key: str, parts: Iterable[bytes], digest: Digest, expected: ObjectRef | None) -> ObjectRef:
        self._ready_bucket()
        writer = uuid4().hex
        headers: Headers = {WRITER_HEADER: writer}
        if expected:
            headers[SHA256_HEADER] = expected.sha256
        replaced = self._digests.recorded_writer_of(key)
        with MultipartUpload(client=self._client, key=key, headers=headers) as upload:
            for part in parts:
                upload.add(part)
            upload.wait()
            ref = digest.ref(key)
            if expected:
                check_same(ref, expected)
            else:
                self._digests.record(writer, ref)
            upload.complete(lambda: self._digests.writer_of(key) == writer)
        if replaced:
            self._digests.forget(replaced)
        return ref

    @contextmanager
    def _stream(self, ref: ObjectRef) -> Iterator[Iterator[bytes]]:
        self._ready_bucket()
        with download_whole(self._client, check_key(ref.key), size=ref.size) as download:
            if SHA256_HEADER in download.headers and (info := self._digests.told_by(ref.key, download.headers)):
                check_same(info, ref)
            with closing(verified(download.chunks(), ref)) as chunks:
                yield chunks

    def _ready_bucket(self) -> None:
        """See once that the bucket is there: later a missing object cannot be told from a missing bucket."""
        if self._bucket_seen:
            return
        with self._bucket_lock, in_our_terms(self._client, "bucket"):
            if not self._client.bucket_exists(self._client.bucket):
                self._create_bucket()
            self._bucket_seen = True

    def _create_bucket(self) -> None:
        if not self._settings.create_bucket:
            raise MisconfiguredError(
                f"There is no bucket {self._client.bucket} at {self._client.endpoint}; create it, or set create_bucket"
            )
        try:
            self._client.make_bucket(self._client.bucket, location=self._settings.region)
        except S3Error as error:
            if error.code != "BucketAlreadyOwnedByYou":  # another process was quicker
                raise


class _ConditionFailedError(Exception):
    """Another was quicker."""


def _changed(key: str) -> str:
    return f"The object {key} was changed or removed meanwhile; nothing was written"
