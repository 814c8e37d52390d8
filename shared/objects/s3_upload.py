"""A multipart upload: a few parts on their way at once, and nothing left if it fails."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import structlog
from minio.datatypes import Part

from shared.errors import RestoreError
from shared.objects.parts import BYTES_ON_THEIR_WAY, PARALLEL_PARTS
from shared.objects.s3_client import Headers, S3Client, in_our_terms

log = structlog.get_logger(__name__)


class MultipartUpload:
    """Sends parts in threads; leaving the ``with`` block without `complete` aborts the upload."""

    def __init__(self, *, client: S3Client, key: str, headers: Headers) -> None:
        self._client = client
        self._key = key
        self._threads = ThreadPoolExecutor(PARALLEL_PARTS, thread_name_prefix="s3-upload")
        self._sending: deque[tuple[int, Future[Part]]] = deque()
        self._sent: list[Part] = []
        self._completed = False
        with in_our_terms(client, key):
            self._id = client.begin_upload(key, headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Parts under way must have ended: one that arrives after the abort would stay for ever.
        self._threads.shutdown(wait=True, cancel_futures=True)
        if not self._completed:
            self._abort()

    def add(self, part: bytes) -> None:
        """Send a part; wait if too many bytes are on their way."""
        while self._sending and sum(size for size, _ in self._sending) + len(part) > BYTES_ON_THEIR_WAY:
            self._wait_for_oldest()
        number = len(self._sent) + len(self._sending) + 1
        self._sending.append((len(part), self._threads.submit(self._send, number, part)))

    def wait(self) -> None:
        """Wait until all parts are stored."""
        while self._sending:
            self._wait_for_oldest()

    def complete(self, is_ours: Callable[[], bool]) -> None:
        """Make the object visible; if the answer is lost, ``is_ours`` tells whether the visible object is this one."""
        self.wait()
        try:
            with in_our_terms(self._client, self._key):
                self._client.complete_upload(self._key, self._id, self._sent)
        except RestoreError:
            if not is_ours():
                raise
        self._completed = True

    def _send(self, number: int, part: bytes) -> Part:
        with in_our_terms(self._client, self._key):
            return self._client.put_part(self._key, self._id, number, part)

    def _wait_for_oldest(self) -> None:
        # Taken out only when it is done, so that the bytes on their way are never undercounted.
        self._sent.append(self._sending[0][1].result())
        self._sending.popleft()

    def _abort(self) -> None:
        try:
            with in_our_terms(self._client, self._key):
                self._client.abort_upload(self._key, self._id)
        except RestoreError as error:
            log.warning("upload_left_behind", key=self._key, upload=self._id, error=str(error), healed_by="sweep")
