"""Downloads that go on where a broken connection left them, large ones in parts that are asked for ahead."""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic
from types import TracebackType
from typing import Self

import structlog
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from shared.errors import RestoreError
from shared.objects.base import IntegrityError
from shared.objects.s3_client import Headers, S3Client, code_of, in_our_terms, size_told_by
from shared.objects.streams import CHUNK_BYTES

RESUMES = 3
"""How often in a row a broken download is resumed without having got a byte in between."""

PART_BYTES = 16 * 1024 * 1024
"""Bytes of a large object that one request asks for."""

PARTS_AHEAD = 2
"""Parts that are asked for while one is read."""

SLOW_SECONDS = 10.0
"""Who takes longer over a part gets the next ones only when he comes to them: no connection waits for him."""

log = structlog.get_logger(__name__)


def download_whole(client: S3Client, key: str, *, size: int) -> "Download | LargeDownload":
    """Ask for an object that is expected to have this size."""
    return (LargeDownload if size > PART_BYTES else Download)(client=client, key=key)


@contextmanager
def download_part(client: S3Client, key: str, *, offset: int, length: int) -> Iterator[Iterator[bytes]]:
    """Stream a part of an object, at least one byte."""
    with Download(client=client, key=key, part=(offset, offset + length - 1)) as download:
        yield download.chunks()


class Download:
    """One GET; leaving the ``with`` block gives its connection back, also when it was not read to the end.

    Parameters
    ----------
    client, key
        Where to ask for what.
    part
        First and last byte, if it is not the whole object.
    etag
        The version that it has to be, if not just any.
    """

    def __init__(
        self, *, client: S3Client, key: str, part: tuple[int, int] | None = None, etag: str | None = None
    ) -> None:
        self._client = client
        self._key = key
        self._position, self._last = (part[0], str(part[1])) if part else (0, "")
        self._response = self._ask(etag, ranged=part is not None)
        self.headers: Mapping[str, str] = self._response.headers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def chunks(self) -> Iterator[bytes]:
        """Read to the end in chunks of 1 MiB; a connection that breaks is replaced a few times."""
        failures = 0
        while True:
            try:
                chunk = self._response.read(CHUNK_BYTES)
            except (HTTPError, OSError) as error:
                failures += 1
                self._resume(error, give_up=failures > RESUMES)
                continue
            if not chunk:
                return
            failures = 0
            self._position += len(chunk)
            yield chunk

    def _resume(self, error: Exception, *, give_up: bool) -> None:
        log.warning(
            "download_interrupted", key=self._key, position=self._position, error=str(error), resumed=not give_up
        )
        self.release()
        if give_up:
            with in_our_terms(self._client, self._key):
                raise error
        self._response = self._ask(self.headers["ETag"], ranged=True)

    def _ask(self, etag: str | None, *, ranged: bool) -> BaseHTTPResponse:
        headers: Headers = {"If-Match": etag} if etag else {}
        if ranged:
            headers["Range"] = f"bytes={self._position}-{self._last}"
        try:
            with in_our_terms(self._client, self._key):
                return self._client.get_object(self._client.bucket, self._key, request_headers=headers)
        except RestoreError as refusal:
            match code_of(refusal):
                case "PreconditionFailed":
                    raise IntegrityError(f"{self._key} was replaced while it was read; read it anew") from refusal
                case "InvalidRange":
                    raise IntegrityError(f"{self._key} ends before byte {self._position}; get it anew") from refusal
            raise

    def release(self) -> None:
        """Give the connection back."""
        self._response.close()
        self._response.release_conn()


class LargeDownload:
    """One object by several GETs, the next ones sent while the answer to one is read.

    A server that reads ahead in bursts, or waits for its disks, has something to send at any time then; what comes
    meanwhile waits in the connections' buffers, and nothing more than a chunk is held here. Use it as a `Download`.

    Parameters
    ----------
    client, key
        Where to ask for what.
    """

    def __init__(self, *, client: S3Client, key: str) -> None:
        self._client = client
        self._key = key
        self._reading = Download(client=client, key=key, part=(0, PART_BYTES - 1))
        self.headers: Mapping[str, str] = self._reading.headers
        self._asked = deque[Future[Download]]()
        self._threads = ThreadPoolExecutor(PARTS_AHEAD, thread_name_prefix="s3-ahead")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reading.release()
        for asked in self._asked:
            asked.add_done_callback(_release)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def chunks(self) -> Iterator[bytes]:
        """Read to the end in chunks of 1 MiB."""
        starts = iter(range(PART_BYTES, size_told_by(self.headers), PART_BYTES))
        ahead = PARTS_AHEAD
        while True:
            while len(self._asked) < ahead and (start := next(starts, None)) is not None:
                self._asked.append(self._threads.submit(self._ask, start))
            begun = monotonic()
            yield from self._reading.chunks()
            self._reading.release()
            ahead = PARTS_AHEAD if monotonic() - begun < SLOW_SECONDS else 0
            if self._asked:
                self._reading = self._asked.popleft().result()
            elif (start := next(starts, None)) is not None:
                self._reading = self._ask(start)
            else:
                return

    def _ask(self, start: int) -> Download:
        part = (start, start + PART_BYTES - 1)
        return Download(client=self._client, key=self._key, part=part, etag=self.headers["ETag"])


def _release(asked: Future[Download]) -> None:
    if not asked.cancelled() and asked.exception() is None:
        asked.result().release()
