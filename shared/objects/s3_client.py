"""S3 requests: the minio client, the few it has no public call for, and its failures in our terms."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from urllib.parse import urlsplit
from xml.etree.ElementTree import ParseError

import urllib3
from minio import Minio
from minio.datatypes import Part
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.exceptions import SSLError as TlsError

from shared.errors import DependencyAwayError, MisconfiguredError, RestoreError, behind
from shared.objects.base import ObjectMissingError
from shared.objects.settings import S3Settings

Headers = dict[str, str | list[str] | tuple[str]]
"""Headers as the minio client has them."""

TRANSIENT_CODES = frozenset(
    {"InternalError", "OperationAborted", "RequestTimeout", "ServiceUnavailable", "SlowDown", "NoSuchUpload"}
    | {"ConditionalRequestConflict", "IncompleteBody", "BadDigest", "XMinioServerNotInitialized"}
)
MISSING_CODES = frozenset({"NoSuchKey", "NoSuchVersion"})
CREDENTIAL_CODES = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"})
CERTIFICATE_FAULTS = (ssl.SSLCertVerificationError, FileNotFoundError, PermissionError, IsADirectoryError)


class S3Client(Minio):
    """The minio client on one bucket, with parts, conditions and a timeout on everything."""

    def __init__(self, settings: S3Settings, *, connect_timeout: float, read_timeout: float, retries: int) -> None:
        self.bucket = settings.bucket
        self.endpoint = settings.endpoint
        parts = urlsplit(settings.endpoint)
        super().__init__(
            endpoint=parts.netloc,
            access_key=settings.access_key,
            secret_key=settings.secret_key.get_secret_value(),
            secure=parts.scheme == "https",
            region=settings.region,
            http_client=urllib3.PoolManager(
                maxsize=16,
                timeout=urllib3.Timeout(connect=connect_timeout, read=read_timeout),
                retries=urllib3.Retry(
                    total=retries,
                    backoff_factor=0.2,
                    status_forcelist=(500, 502, 503, 504),
                    allowed_methods=None,
                    raise_on_status=False,
                ),
                ca_certs=str(settings.ca_file) if settings.ca_file else None,
            ),
        )

    def put(self, key: str, data: bytes, headers: Headers) -> None:
        """Store bytes with one request."""
        self._put_object(self.bucket, key, data, {"Content-Type": "application/octet-stream", **headers})

    def body(self, key: str) -> bytes:
        """Read a small object."""
        response = self.get_object(self.bucket, key)
        try:
            return response.read()
        finally:
            response.release_conn()

    def folders(self, prefix: str) -> list[str]:
        """Name what lies directly below a prefix and has more below it."""
        found = self.list_objects(self.bucket, prefix=prefix)
        return [name for item in found if item.is_dir and (name := item.object_name)]

    def begin_upload(self, key: str, headers: Headers) -> str:
        """Begin a multipart upload and give its id."""
        return self._create_multipart_upload(self.bucket, key, headers)

    def put_part(self, key: str, upload: str, number: int, data: bytes) -> Part:
        """Store a part, counted from one."""
        return Part(number, self._upload_part(self.bucket, key, data, None, upload, number))

    def complete_upload(self, key: str, upload: str, parts: list[Part]) -> None:
        """Make an object of the parts."""
        if not self._complete_multipart_upload(self.bucket, key, upload, parts).etag:
            # S3 may answer 200 before it has assembled the object, and put an error into the body.
            raise ServerError("the upload was not completed", 500)

    def abort_upload(self, key: str, upload: str) -> None:
        """Forget a multipart upload and its parts."""
        self._abort_multipart_upload(self.bucket, key, upload)

    def uploads(self) -> Iterator[tuple[str, str, datetime]]:
        """List the multipart uploads that were begun and not ended: key, id, begin."""
        key_marker = id_marker = None
        while True:
            page = self._list_multipart_uploads(
                self.bucket, key_marker=key_marker, upload_id_marker=id_marker, max_uploads=1000
            )
            for upload in page.uploads:
                if upload.object_name and upload.upload_id and upload.initiated_time:
                    yield upload.object_name, upload.upload_id, upload.initiated_time
            key_marker, id_marker = page.next_key_marker, page.next_upload_id_marker
            if not page.is_truncated or not key_marker:
                return

    def close(self) -> None:
        """Close idle connections."""
        self._http.clear()


@contextmanager
def in_our_terms(client: S3Client, what: str) -> Iterator[None]:
    """Turn what the client raises into our errors; ``what`` is the key, or what was asked."""
    where = f"{client.endpoint}/{client.bucket}: {what}"
    try:
        yield
    except S3Error as error:
        # The client's frame that raised it holds it, too: with its traceback, which holds that frame and those of
        # all its callers, it would be a cycle that keeps the parts of a stream until the next collection.
        raise _refusal(error, where) from error.with_traceback(None)
    except ServerError as error:
        raise _by_status(error.status_code, f"{where}: {error}") from error
    except InvalidResponseError as error:
        raise _by_status(error._code, f"{where}: {error}") from error
    except ParseError as error:
        raise MisconfiguredError(f"{where}: no S3 answer ({error}); set the endpoint of an S3 server") from error
    except (HTTPError, OSError, MinioException) as error:
        raise DependencyAwayError(f"{where}: {_no_answer(error)}") from error


def code_of(error: BaseException | None) -> str | None:
    """Give the S3 code behind an error of ours, e.g. ``PreconditionFailed``."""
    cause = error.__cause__ if error else None
    return cause.code if isinstance(cause, S3Error) else None


def size_told_by(headers: Mapping[str, str]) -> int:
    """Tell the size of an object whose answer has these headers, be it to a request for a part of it."""
    whole = headers.get("Content-Range", "").rpartition("/")[2]
    return int(whole or headers.get("Content-Length", "0"))


def _no_answer(error: Exception) -> str:
    """Say why a request got no answer, and what to do."""
    cause = error.reason if isinstance(error, MaxRetryError) else error
    cause = cause.args[0] if isinstance(cause, TlsError) and cause.args else cause
    if isinstance(cause, CERTIFICATE_FAULTS):
        # It is waited for all the same: a certificate that ran out is renewed at the server.
        return (
            f"the S3 server's certificate cannot be verified ({cause}); set ca_file to a readable file with its "
            "authority's certificates, and the endpoint to a name that the certificate has"
        )
    return f"the S3 server does not answer ({behind(error)}); is it running there?"


def _refusal(error: S3Error, where: str) -> RestoreError:
    text = f"{where}: {error.code}, {error.message}"
    if error.code in MISSING_CODES:
        return ObjectMissingError(f"There is no object {where}; it was deleted or never stored")
    if error.code in CREDENTIAL_CODES:
        return MisconfiguredError(f"{text}; set access_key and secret_key to ones that may use this bucket")
    if error.code == "NoSuchBucket":
        return MisconfiguredError(f"{text}; create the bucket, or set create_bucket")
    if error.code == "RequestTimeTooSkewed":
        return MisconfiguredError(f"{text}; set this host's clock right")
    if error.code in TRANSIENT_CODES:
        return DependencyAwayError(f"{text}; it is tried again")
    return _by_status(error.response.status, text)


def _by_status(status: int, text: str) -> RestoreError:
    if status >= 500 or status in (408, 425, 429):
        return DependencyAwayError(f"{text}; the S3 server is in trouble, it is tried again")
    return MisconfiguredError(f"{text}; look at endpoint, region, bucket and the rights of the access key")
