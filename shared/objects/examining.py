"""Examines an object store: does everything with it that the services rely on, under a key of its own."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

from shared.errors import RestoreError
from shared.findings import Findings
from shared.objects.base import ObjectChangedError, ObjectExistsError, ObjectStore
from shared.objects.opening import open_store
from shared.objects.settings import S3Settings, StoreSettings
from shared.sizes import size_text

_CHUNK = b"alma-restore doctor\n" * 52_429
_CHUNKS = 18
"""About 18 MiB: more than one part of a multipart upload, and little enough for any store."""
_SECONDS = 10.0
_START = "start it, make its bucket, and check ALMA_RESTORE_STORE__…"
_WHAT = "use a store that has conditional writes: SeaweedFS, MinIO, Ceph, AWS S3 of today"


def examine_store(settings: StoreSettings) -> Findings:
    """Try the store out, and remove what was written."""
    findings = Findings("object store")
    with findings.attempt("reachable", _START), closing(open_store(settings)) as objects:
        if objects.is_ready():
            findings.ok("reachable", settings.endpoint if isinstance(settings, S3Settings) else str(settings.root))
            _examine(findings, objects, settings)
        else:
            findings.fail("reachable", _why_not(settings), _START)
    return findings


def _why_not(settings: StoreSettings) -> str:
    """Say why a store is not ready, as somebody hears who uses it."""
    if not isinstance(settings, S3Settings):
        return f"{settings.root} cannot be written"
    from shared.objects.s3_client import S3Client, in_our_terms

    with closing(S3Client(settings, connect_timeout=_SECONDS, read_timeout=_SECONDS, retries=0)) as client:
        try:
            with in_our_terms(client, "bucket"):
                is_there = client.bucket_exists(settings.bucket)
        except RestoreError as error:
            return str(error)
    return "it answers now, and did not before" if is_there else f"{settings.endpoint} has no bucket {settings.bucket}"


def _examine(findings: Findings, objects: ObjectStore, settings: StoreSettings) -> None:
    folder = f"doctor/{uuid4()}"
    try:
        with findings.attempt("conditional create and replace", _WHAT):
            _examine_conditions(findings, objects, settings, f"{folder}/condition")
        with findings.attempt("multipart, ranges and copy", _WHAT):
            _examine_large(findings, objects, settings, f"{folder}/large")
        if isinstance(settings, S3Settings):
            with findings.attempt("clock", "check that the server answers plain HTTP requests"):
                before = datetime.now(UTC)
                findings.clock(_time_of(settings.endpoint), before=before)
    finally:
        with findings.attempt("delete", "give the account the right to delete objects"):
            for key in ("condition", "large"):
                objects.delete(f"{folder}/{key}")


def _examine_conditions(findings: Findings, objects: ObjectStore, settings: StoreSettings, key: str) -> None:
    first = objects.create(key, b"1")
    try:
        objects.create(key, b"2")
    except ObjectExistsError:
        findings.ok("conditional create", "the second of two is refused")
    else:
        findings.fail("conditional create", "an object that exists was overwritten", _WHAT)
        return
    objects.replace(key, b"3", expected=first)
    try:
        if isinstance(settings, S3Settings):
            _replace_another(settings, key)
        else:
            objects.replace(key, b"4", expected=first)
    except ObjectChangedError:
        findings.ok("conditional replace", "the second of two is refused")
    else:
        findings.fail("conditional replace", "an object that had changed was overwritten", _WHAT)


def _replace_another(settings: S3Settings, key: str) -> None:
    """Replace by a condition that is not true: the store itself would look first, and not ask the server."""
    # Only here, since a process that keeps objects in a directory needs no S3 client.
    from shared.objects.s3 import CONDITION_CODES
    from shared.objects.s3_client import S3Client, code_of, in_our_terms

    with closing(S3Client(settings, connect_timeout=_SECONDS, read_timeout=_SECONDS, retries=0)) as client:
        try:
            with in_our_terms(client, key):
                client.put(key, b"4", {"If-Match": '"00000000000000000000000000000000"'})
        except RestoreError as error:
            if code_of(error) in CONDITION_CODES:
                raise ObjectChangedError(f"The object {key} is another one; it was left as it is") from error
            raise


def _examine_large(findings: Findings, objects: ObjectStore, settings: StoreSettings, key: str) -> None:
    ref = objects.put(key, _chunks())
    findings.ok("multipart and copy", f"{size_text(ref.size)} were written in parts and named when they were whole")
    with objects.open_part(ref, offset=len(_CHUNK) + 7, length=20) as part:
        got = b"".join(part)
    if got == (_CHUNK * 2)[7:27]:
        findings.ok("ranges", "20 bytes from the middle are the right ones")
    else:
        findings.fail("ranges", f"other bytes came than were asked for: {got[:40]!r}", _WHAT)
    if isinstance(settings, S3Settings):
        link = objects.sign(ref, expires=timedelta(minutes=5))
        _examine_link(findings, link)


def _examine_link(findings: Findings, link: str) -> None:
    advice = "set ALMA_RESTORE_STORE__PUBLIC_ENDPOINT to an address that users reach, and here, too"
    with findings.attempt("signed links", advice):
        request = Request(link, headers={"Range": "bytes=0-19"})  # noqa: S310 - made by the store, of its own address
        with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310  # an address that our own store signed
            status, got = answer.status, answer.read()
        if (status, got) == (206, _CHUNK[:20]):
            findings.ok("signed links", "a part of an object can be downloaded by one")
        else:
            findings.fail("signed links", f"HTTP {status} with {len(got)} bytes where 20 were asked for", _WHAT)


def _chunks() -> Iterator[bytes]:
    for _ in range(_CHUNKS):
        yield _CHUNK


def _time_of(endpoint: str) -> datetime:
    """Return a server's time, which it tells with any answer, a refusal as well."""
    try:
        with urlopen(f"{endpoint}/", timeout=_SECONDS) as answer:  # noqa: S310 - http or https, as settings are checked
            date = answer.headers.get("Date")
    except HTTPError as refusal:
        date = refusal.headers.get("Date")
    if date is None:
        raise OSError("it does not say what time it is")
    return parsedate_to_datetime(date).astimezone(UTC)
