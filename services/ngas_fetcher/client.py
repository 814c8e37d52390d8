"""The NGAS protocol over HTTP: records of files, and their bytes from any offset."""

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

from services.ngas_fetcher.documents import (
    ILLEGAL_PROCESSING,
    IMPROPER_STATE,
    FileRecord,
    NgamsStatus,
    UnreadableDocumentError,
    read_status,
)
from services.ngas_fetcher.errors import NgasAwayError, NgasFileMissingError, NgasRefusedError
from services.ngas_fetcher.exchange import BadAddressError, ExchangeError, Exchanges, Reply
from services.ngas_fetcher.hosts import HostSlots
from services.ngas_fetcher.stop import Stop
from shared import tracing

CHUNK = 2 << 20
_DEFAULT_LIMIT = 16
_MAX_REDIRECTS = 3
_MAX_DOCUMENT = 4 << 20
_REDIRECTS = (301, 302, 303, 307, 308)


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

    def end(self) -> None:
        """Let whoever waits for the next bytes, in another thread, find the end of the stream at once."""
        self.reply.end()


class NgasClient:
    """Speaks to NGAS servers; thread-safe.

    Parameters
    ----------
    known_hosts
        Servers that redirects may lead to and that get the credentials.
    credentials
        User and password of HTTP Basic, if any.
    connect_timeout, stall_timeout
        Seconds to wait for a connection, and for the next byte.
    hosts
        Limits the requests that a server gets at a time.
    """

    def __init__(
        self,
        *,
        known_hosts: Sequence[str],
        credentials: tuple[str, str] | None,
        connect_timeout: float,
        stall_timeout: float,
        hosts: HostSlots | None = None,
    ) -> None:
        self.hosts = hosts or HostSlots(limit=_DEFAULT_LIMIT)
        self._known = frozenset(_netloc(*_base(host)[:2]) for host in known_hosts)
        self._credentials = _basic(":".join(credentials)) if credentials else {}
        self._exchanges = Exchanges(connect_timeout=connect_timeout, stall_timeout=stall_timeout)

    def record(self, server: str, file_id: str) -> FileRecord:
        """Ask a server what it has recorded of a file's newest version.

        Raises
        ------
        NgasFileMissingError, NgasAwayError, NgasRefusedError
            As `open` does.
        """
        with self.hosts.hold(server), self._answer(server, "STATUS", {"file_id": file_id}) as reply:
            status = self._document(server, reply)
        found = [file for file in status.files if file.file_id == file_id]
        if not found:
            raise NgasAwayError(f"{server} answered a STATUS of {file_id} without its record: {status.message}")
        return max(found, key=lambda file: file.version)

    @contextmanager
    def open(
        self, server: str, file_id: str, version: int, *, start: int = 0, stop: Stop | None = None
    ) -> Iterator[Body]:
        """Begin to get the bytes of a version of a file.

        Parameters
        ----------
        server
            Which server.
        file_id, version
            Which file; the version is always named, since the newest may be another meanwhile.
        start
            Offset of the first byte; see in the body whether the server heeded it.
        stop
            Ends the wait for a free slot, and the body.

        Raises
        ------
        NgasFileMissingError
            If the server is ONLINE and does not have the file.
        NgasAwayError
            If it is busy, offline, unreachable or breaks off.
        NgasRefusedError
            If it does not let us, or redirects to a host that is not allowed.
        """
        headers = {"Range": f"bytes={start}-"} if start else {}
        fields = {"file_id": file_id, "file_version": str(version)}
        with self.hosts.hold(server, stop), self._answer(server, "RETRIEVE", fields, headers) as reply:
            begin, total = _extent(reply)
            body = Body(server=server, start=begin, total=total, reply=reply)
            with (stop or Stop()).calling(body.end):
                yield body

    def copy(self, server: str, file_id: str, version: int, outfile: str, *, stop: Stop) -> None:
        """Have a server put a version of a file where both of us can read it (``ngamsDirectCopyDppi``).

        Parameters
        ----------
        server
            Which server.
        file_id, version
            Which file.
        outfile
            Absolute path on the shared storage.
        stop
            Ends the wait for a free slot, and for the copy.

        Raises
        ------
        NgasFileMissingError, NgasAwayError, NgasRefusedError
            As `open` does; refused also where the server has no such plug-in.
        """
        fields = {
            "file_id": file_id,
            "file_version": str(version),
            "processing": "ngamsDirectCopyDppi",
            "processingPars": f"outfile={outfile}",
        }
        with self.hosts.hold(server, stop), self._answer(server, "RETRIEVE", fields) as reply:
            try:
                reply.read(_MAX_DOCUMENT)
            except ExchangeError as error:
                raise NgasAwayError(f"{server} broke the answer to a direct copy off: {error}") from error

    def state(self, server: str) -> str:
        """Ask a server for its state, e.g. ``ONLINE``.

        Raises
        ------
        NgasAwayError, NgasRefusedError
            As `open` does.
        """
        with self._answer(server, "STATUS", {}) as reply:
            return self._document(server, reply).state

    def is_online(self, server: str) -> bool:
        """Whether a server answers and is ONLINE."""
        try:
            return self.state(server) == "ONLINE"
        except (NgasAwayError, NgasRefusedError, NgasFileMissingError):
            return False

    @contextmanager
    def _answer(
        self, server: str, command: str, fields: dict[str, str], headers: dict[str, str] | None = None
    ) -> Iterator[Reply]:
        """Follow redirects to the answer of a command, and see that it is a success."""
        base = _base(server)
        url = base._replace(path=f"{base.path}/{command}", query=urlencode(fields))
        with tracing.calling(
            f"NGAS {command}", {"server.address": server, "alma_restore.file_id": fields.get("file_id", "")}
        ):
            for _ in range(_MAX_REDIRECTS + 1):
                with self._request(server, url, headers or {}) as reply:
                    if reply.status not in _REDIRECTS:
                        self._check(server, reply)
                        yield reply
                        return
                    url = self._allowed(server, urljoin(url.geturl(), reply.headers.get("location", "")))
        raise NgasRefusedError(f"{server} redirects more than {_MAX_REDIRECTS} times; see how its cluster is set up")

    def _request(self, server: str, url: SplitResult, headers: dict[str, str]) -> Reply:
        sent = {"Accept-Encoding": "identity", "User-Agent": "alma-restore", **tracing.headers(), **headers}
        if _netloc(url.scheme, url.netloc) in self._known:
            sent |= self._credentials
        try:
            return self._exchanges.get(url, sent)
        except BadAddressError as error:
            raise NgasRefusedError(f"{server} is no address of a server: {error}") from error
        except ExchangeError as error:
            raise NgasAwayError(f"{server} does not answer: {error}") from error

    def _allowed(self, server: str, address: str) -> SplitResult:
        target = urlsplit(address)
        netloc = _netloc(target.scheme, target.netloc)
        if target.scheme not in ("http", "https") or netloc not in self._known:
            raise NgasRefusedError(
                f"{server} redirects to {netloc or address!r}, which is not an allowed host; "
                "if it is one of the archive's, add it to ALMA_RESTORE_NGAS_FETCHER_ALLOWED_HOSTS"
            )
        return target

    def _check(self, server: str, reply: Reply) -> None:
        if reply.status == 200:
            return
        if reply.status in (401, 403):
            raise NgasRefusedError(
                f"{server} does not let us in (HTTP {reply.status}); see ALMA_RESTORE_NGAS_FETCHER_USER"
            )
        if reply.status == 404:
            raise NgasRefusedError(f"{server} does not know the command (HTTP 404); is it an NGAS server?")
        if reply.status >= 500:
            raise NgasAwayError(f"{server} is busy or broken (HTTP {reply.status})")
        self._raise_failure(server, self._document(server, reply), reply.status)

    def _document(self, server: str, reply: Reply) -> NgamsStatus:
        try:
            return read_status(reply.read(_MAX_DOCUMENT))
        except (ExchangeError, UnreadableDocumentError) as error:
            raise NgasAwayError(f"{server} answered HTTP {reply.status} with no document: {error}") from error

    def _raise_failure(self, server: str, status: NgamsStatus, http_status: int) -> None:
        if status.says_file_is_missing:
            raise NgasFileMissingError(f"{server}: {status.message}")
        if status.code == ILLEGAL_PROCESSING:
            raise NgasRefusedError(f"{server} has no direct copy: {status.message}; take it off the direct copy hosts")
        state = "is offline" if status.code == IMPROPER_STATE or status.state != "ONLINE" else "refuses for now"
        raise NgasAwayError(f"{server} {state} (HTTP {http_status}, state {status.state}): {status.message}")


def _extent(reply: Reply) -> tuple[int, int | None]:
    """Read the offset of the first byte and the size of the whole file; replies are 200 even for ranges."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", reply.headers.get("content-range", "").strip())
    if found:
        return int(found[1]), None if found[2] == "*" else int(found[2])
    length = reply.headers.get("content-length", "").strip()
    return 0, int(length) if re.fullmatch(r"\d+", length) else None


def _basic(account: str) -> dict[str, str]:
    """Make the header of HTTP Basic."""
    return {"Authorization": f"Basic {b64encode(account.encode()).decode()}"}


@lru_cache
def _base(server: str) -> SplitResult:
    """Read a server's address; ``host:port`` is HTTP."""
    return urlsplit((server if "://" in server else f"http://{server}").rstrip("/"))


@lru_cache
def _netloc(scheme: str, netloc: str) -> str:
    """Return ``host:port`` in one spelling."""
    url = SplitResult(scheme, netloc, "", "", "")
    try:
        port = url.port
    except ValueError:
        return ""
    return f"{(url.hostname or '').lower()}:{port or (443 if scheme == 'https' else 80)}" if url.hostname else ""
