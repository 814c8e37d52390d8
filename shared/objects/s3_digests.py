"""The digests of objects on an S3 server: in their metadata, or in a record that their writer names."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from contracts.messages.parts import ObjectRef
from shared.objects.base import ObjectInfo, ObjectMissingError
from shared.objects.s3_client import S3Client, in_our_terms, size_told_by

SHA256_HEADER = "x-amz-meta-sha256"
WRITER_HEADER = "x-amz-meta-writer"
RECORDS = ".digests/"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Version:
    """What is visible under a key at one moment."""

    info: ObjectInfo
    etag: str
    recorded_by: str | None
    """Who wrote it, if its digest is in a record."""


class Digests:
    """Finds and keeps digests. A record is written once, before its object becomes visible, and never changed."""

    def __init__(self, *, client: S3Client) -> None:
        self._client = client

    def find(self, key: str) -> ObjectInfo | None:
        """Tell what a visible object is, or None."""
        version = self.version(key)
        return version.info if version else None

    def version(self, key: str) -> Version | None:
        """Tell what a visible object is and what names this version of it, or None."""
        before: str | None = None
        while headers := self._headers(key):
            info, writer = self.told_by(key, headers), headers.get(WRITER_HEADER)
            if info or writer is None or writer == before:
                break
            before = writer  # perhaps it was replaced in between, and its record removed: look again
        else:
            return None
        if info is None:
            log.warning("object_without_digest_ignored", key=key, bucket=self._client.bucket)
            return None
        return Version(info, headers["ETag"], recorded_by=None if SHA256_HEADER in headers else writer)

    def told_by(self, key: str, headers: Mapping[str, str]) -> ObjectInfo | None:
        """Tell what an answer's headers say of an object; None if its digest cannot be found."""
        size = size_told_by(headers)
        if sha256 := headers.get(SHA256_HEADER):
            return ObjectInfo(key=key, size=size, sha256=sha256)
        writer = headers.get(WRITER_HEADER)
        record = self._read(writer) if writer else None
        return ObjectInfo(key=key, size=size, sha256=record.sha256) if record else None

    def writer_of(self, key: str) -> str | None:
        """Tell who wrote the visible object."""
        return (self._headers(key) or {}).get(WRITER_HEADER)

    def recorded_writer_of(self, key: str) -> str | None:
        """Tell who wrote the visible object if its digest is in a record."""
        headers = self._headers(key) or {}
        return None if SHA256_HEADER in headers else headers.get(WRITER_HEADER)

    def record(self, writer: str, ref: ObjectRef) -> None:
        """Keep the digest of an object that this writer is about to make visible."""
        with in_our_terms(self._client, ref.key):
            self._client.put(RECORDS + writer, ref.model_dump_json().encode(), {})

    def forget(self, writer: str) -> None:
        """Remove the record of an object that is gone."""
        with in_our_terms(self._client, RECORDS + writer):
            self._client.remove_object(self._client.bucket, RECORDS + writer)

    def sweep(self, before: datetime) -> int:
        """Remove records older than this whose object is gone or was written by another, and count them."""
        with in_our_terms(self._client, f"list of {RECORDS}"):
            found = list(self._client.list_objects(self._client.bucket, prefix=RECORDS, recursive=True))
        old = [item.object_name for item in found if item.last_modified and item.last_modified < before]
        return sum(self._forget_if_orphan(name.removeprefix(RECORDS)) for name in old if name)

    def _forget_if_orphan(self, writer: str) -> bool:
        record = self._read(writer)
        if record is None or self.writer_of(record.key) == writer:
            return False
        self.forget(writer)
        return True

    def _read(self, writer: str) -> ObjectRef | None:
        try:
            with in_our_terms(self._client, RECORDS + writer):
                return ObjectRef.model_validate_json(self._client.body(RECORDS + writer))
        except ObjectMissingError:
            return None

    def _headers(self, key: str) -> Mapping[str, str] | None:
        try:
            with in_our_terms(self._client, key):
                return self._client.stat_object(self._client.bucket, key).metadata
        except ObjectMissingError:
            return None
