"""A download that goes on where a broken connection left it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import structlog
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from shared.errors import RestoreError
from shared.objects.base import IntegrityError
from shared.objects.s3_client import Headers, S3Client, code_of, in_our_terms
from shared.objects.streams import CHUNK_BYTES

RESUMES = 3
"""How often in a row a broken download is resumed without having got a byte in between."""

log = structlog.get_logger(__name__)


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
    """

    def __init__(self, *, client: S3Client, key: str, part: tuple[int, int] | None = None) -> None:
        self._client = client
        self._key = key
        self._position, self._last = (part[0], str(part[1])) if part else (0, "")
        self._response = self._ask({"Range": f"bytes={self._position}-{self._last}"} if part else {})
        self.headers: Mapping[str, str] = self._response.headers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

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
        self._release()
        if give_up:
            with in_our_terms(self._client, self._key):
                raise error
        try:
            self._response = self._ask(
                {"Range": f"bytes={self._position}-{self._last}", "If-Match": self.headers["ETag"]}
            )
        except RestoreError as refusal:
            if code_of(refusal) == "PreconditionFailed":
                raise IntegrityError(f"{self._key} was replaced while it was read; read it anew") from refusal
            raise

    def _ask(self, headers: Headers) -> BaseHTTPResponse:
        with in_our_terms(self._client, self._key):
            return self._client.get_object(self._client.bucket, self._key, request_headers=headers)

    def _release(self) -> None:
        self._response.close()
        self._response.release_conn()
