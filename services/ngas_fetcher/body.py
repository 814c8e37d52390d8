"""The bytes of a file, as a server sends them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.ngas_fetcher.errors import NgasAwayError
from services.ngas_fetcher.exchange import ExchangeError, Reply

CHUNK = 2 << 20


@dataclass(frozen=True, kw_only=True)
class Body:
    """The bytes of a file from an offset on, as a server begins to send them.

    Attributes
    ----------
    start
        Offset of the first byte, as the server says.
    total
        Bytes of the whole file as the server says, if it says so.
    """

    server: str
    start: int
    total: int | None
    reply: Reply

    def chunks(self) -> Iterator[bytes]:
        """Go through the bytes in pieces of up to 2 MiB.

        Raises
        ------
        NgasAwayError
            If the connection breaks, stalls, or ends before its time.
        """
        try:
            while chunk := self.reply.read(CHUNK):
                yield chunk
        except ExchangeError as error:
            raise NgasAwayError(f"{self.server} broke the transfer off: {error}") from error


def extent_of(reply: Reply) -> tuple[int, int | None]:
    """Read the offset of the first byte and the size of the whole file; replies are 200 even for ranges."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", reply.headers.get("content-range", "").strip())
    if found:
        return int(found[1]), None if found[2] == "*" else int(found[2])
    length = reply.headers.get("content-length", "").strip()
    return 0, int(length) if re.fullmatch(r"\d+", length) else None
