"""The NGAS protocol over HTTP: records of files, and their bytes from any offset."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

import urllib3

from services.ngas_fetcher.documents import (
    ILLEGAL_PROCESSING,
    IMPROPER_STATE,
    FileRecord,
    NgamsStatus,
    UnreadableDocumentError,
    read_status,
)
from services.ngas_fetcher.errors import NgasAwayError, NgasFileMissingError, NgasRefusedError
from services.ngas_fetcher.hosts import HostSlots
from services.ngas_fetcher.stop import Stop

CHUNK = 1 << 20
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
    response: urllib3.BaseHTTPResponse

    def chunks(self) -> Iterator[bytes]:
        """Go through the bytes in pieces of up to 1 MiB.

        Raises
        ------
        NgasAwayError
            If the connection breaks, stalls, or ends before its time.
        """
        try:
            yield from self.response.stream(CHUNK, decode_content=False)
        except urllib3.exceptions.HTTPError as error:
            raise NgasAwayError(f"{self.server} broke the transfer off: {error}") from error

    def end(self) -> None:
        """Let whoever waits for the next bytes, in another thread, find the end of the stream at once."""
        with suppress(OSError, ValueError, RuntimeError):  # closed already, or read to its end
            self.response.shutdown()


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
        self._known = frozenset(_netloc(_base(host)) for host in known_hosts)
        self._credentials = urllib3.make_headers(basic_auth=":".join(credentials)) if credentials else {}
        timeout = urllib3.Timeout(connect=connect_timeout, read=stall_timeout)
        self._pools = urllib3.PoolManager(num_pools=32, maxsize=64, retries=False, timeout=timeout)

    def record(self, server: str, file_id: str) -> FileRecord:
        """Ask a server what it has recorded of a file's newest version.

        Raises
        ------
        NgasFileMissingError, NgasAwayError, NgasRefusedError
            As `open` does.
        """
        with self.hosts.hold(server), self._answer(server, "STATUS", {"file_id": file_id}) as response:
            status = self._document(server, response)
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
        with self.hosts.hold(server, stop), self._answer(server, "RETRIEVE", fields, headers) as response:
            begin, total = _extent(response)
            body = Body(server=server, start=begin, total=total, response=response)
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
        with self.hosts.hold(server, stop), self._answer(server, "RETRIEVE", fields) as response:
            try:
                response.drain_conn()
            except urllib3.exceptions.HTTPError as error:
                raise NgasAwayError(f"{server} broke the answer to a direct copy off: {error}") from error

    def is_online(self, server: str) -> bool:
        """Whether a server answers and is ONLINE."""
        try:
            with self._answer(server, "STATUS", {}) as response:
                return self._document(server, response).state == "ONLINE"
        except (NgasAwayError, NgasRefusedError, NgasFileMissingError):
            return False

    def close(self) -> None:
        """Release connections."""
        self._pools.clear()

    @contextmanager
    def _answer(
        self, server: str, command: str, fields: dict[str, str], headers: dict[str, str] | None = None
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Follow redirects to the answer of a command, and see that it is a success."""
        url = f"{_base(server).geturl()}/{command}?{urlencode(fields)}"
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._request(server, url, headers or {})
            try:
                if response.status not in _REDIRECTS:
                    self._check(server, response)
                    yield response
                    return
                url = self._allowed(server, urljoin(url, response.headers.get("Location", "")))
            finally:
                response.close()
        raise NgasRefusedError(f"{server} redirects more than {_MAX_REDIRECTS} times; see how its cluster is set up")

    def _request(self, server: str, url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        sent = {"Accept-Encoding": "identity", "User-Agent": "alma-restore", **headers}
        if _netloc(urlsplit(url)) in self._known:
            sent |= self._credentials
        try:
            pool = self._pools.connection_from_url(url)
            target = url.split("://", 1)[1].partition("/")
            return pool.urlopen(
                "GET",
                f"/{target[2]}",
                headers=sent,
                preload_content=False,
                decode_content=False,
                redirect=False,
                retries=False,
            )
        except urllib3.exceptions.LocationValueError as error:
            raise NgasRefusedError(f"{server} is no address of a server: {error}") from error
        except urllib3.exceptions.HTTPError as error:
            raise NgasAwayError(f"{server} does not answer: {error}") from error

    def _allowed(self, server: str, url: str) -> str:
        target = urlsplit(url)
        if target.scheme not in ("http", "https") or _netloc(target) not in self._known:
            raise NgasRefusedError(
                f"{server} redirects to {_netloc(target) or url!r}, which is not an allowed host; "
                "if it is one of the archive's, add it to ALMA_RESTORE_NGAS_FETCHER_ALLOWED_HOSTS"
            )
        return url

    def _check(self, server: str, response: urllib3.BaseHTTPResponse) -> None:
        if response.status == 200:
            return
        if response.status in (401, 403):
            raise NgasRefusedError(
                f"{server} does not let us in (HTTP {response.status}); see ALMA_RESTORE_NGAS_FETCHER_USER"
            )
        if response.status == 404:
            raise NgasRefusedError(f"{server} does not know the command (HTTP 404); is it an NGAS server?")
        if response.status >= 500:
            raise NgasAwayError(f"{server} is busy or broken (HTTP {response.status})")
        self._raise_failure(server, self._document(server, response), response.status)

    def _document(self, server: str, response: urllib3.BaseHTTPResponse) -> NgamsStatus:
        try:
            return read_status(response.read(_MAX_DOCUMENT, decode_content=False))
        except (urllib3.exceptions.HTTPError, UnreadableDocumentError) as error:
            raise NgasAwayError(f"{server} answered HTTP {response.status} with no document: {error}") from error

    def _raise_failure(self, server: str, status: NgamsStatus, http_status: int) -> None:
        if status.says_file_is_missing:
            raise NgasFileMissingError(f"{server}: {status.message}")
        if status.code == ILLEGAL_PROCESSING:
            raise NgasRefusedError(f"{server} has no direct copy: {status.message}; take it off the direct copy hosts")
        state = "is offline" if status.code == IMPROPER_STATE or status.state != "ONLINE" else "refuses for now"
        raise NgasAwayError(f"{server} {state} (HTTP {http_status}, state {status.state}): {status.message}")


def _extent(response: urllib3.BaseHTTPResponse) -> tuple[int, int | None]:
    """Read the offset of the first byte and the size of the whole file; replies are 200 even for ranges."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if found:
        return int(found[1]), None if found[2] == "*" else int(found[2])
    length = response.headers.get("Content-Length", "").strip()
    return 0, int(length) if re.fullmatch(r"\d+", length) else None


def _base(server: str) -> SplitResult:
    """Read a server's address; ``host:port`` is HTTP."""
    return urlsplit((server if "://" in server else f"http://{server}").rstrip("/"))


def _netloc(url: SplitResult) -> str:
    """Return ``host:port`` in one spelling."""
    try:
        port = url.port
    except ValueError:
        return ""
    return f"{(url.hostname or '').lower()}:{port or (443 if url.scheme == 'https' else 80)}" if url.hostname else ""
