"""Links to objects on an S3 server, signed with our key, that end by themselves."""

from datetime import timedelta
from urllib.parse import quote

from shared.objects.base import CannotSignError
from shared.objects.s3_client import S3Client
from shared.objects.settings import S3Settings

SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(days=7)
"""S3's limits of a signed link."""


class Links:
    """Signs links for the server's public address. Nothing is sent: a signature is only computed.

    Parameters
    ----------
    settings
        Server, bucket and keys.
    """

    def __init__(self, settings: S3Settings) -> None:
        public = settings.model_copy(update={"endpoint": settings.public_endpoint or settings.endpoint})
        self._client = S3Client(public, connect_timeout=1, read_timeout=1, retries=0)

    def link(self, key: str, *, expires: timedelta, file_name: str | None) -> str:
        """Make a link.

        Raises
        ------
        CannotSignError
            If it shall last for longer, or shorter, than S3 allows.
        """
        if not SHORTEST <= expires <= LONGEST:
            raise CannotSignError(f"A link to {key} cannot last {expires}; choose between {SHORTEST} and {LONGEST}")
        disposition = content_disposition(file_name or key.rpartition("/")[2])
        return self._client.get_presigned_url(
            "GET",
            self._client.bucket,
            key,
            expires=expires,
            response_headers={"response-content-disposition": disposition},
        )


def content_disposition(file_name: str) -> str:
    """Say that a file is to be saved, and under which name (RFC 6266); older clients get it in ASCII."""
    plain = "".join(letter if letter.isascii() and letter.isprintable() else "_" for letter in file_name)
    escaped = plain.replace("\\", "_").replace('"', "_")
    extended = "" if escaped == file_name else f"; filename*=UTF-8''{quote(file_name, safe='')}"
    return f'attachment; filename="{escaped}"{extended}'
