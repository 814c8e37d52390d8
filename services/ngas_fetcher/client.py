"""The NGAS protocol over HTTP: records of files, and their bytes from any offset."""

import math
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

from services.ngas_fetcher.addresses import base, host_of, host_of_server
from services.ngas_fetcher.body import Body, extent_of
from services.ngas_fetcher.documents import (
    ILLEGAL_PROCESSING,
    IMPROPER_STATE,
    FileRecord,
    NgamsStatus,
    UnreadableDocumentError,
    read_status,
)
from services.ngas_fetcher.errors import NgasAwayError, NgasFileMissingError, NgasRefusedError
from services.ngas_fetcher.exchange import BadAddressError, ExchangeError, Exchanges, Reply, Waiting
from services.ngas_fetcher.hosts import HostSlots
from services.ngas_fetcher.stop import Stop
from shared import tracing

_DEFAULT_LIMIT = 16
_MAX_REDIRECTS = 3
_MAX_DOCUMENT = 4 << 20
_SUCCESSES = (200, 206)
"""NGAS says 200 also where it heeds a range; what stands between it and us may know better."""

_REDIRECTS = (301, 302, 303, 307, 308)

Slot = Callable[[str, Waiting], AbstractContextManager[None]]
"""Waits for a place among a server's requests."""


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
        self._known = frozenset(map(host_of_server, known_hosts))
        self._credentials = _basic(":".join(credentials)) if credentials else {}
        self._exchanges = Exchanges(connect_timeout=connect_timeout, stall_timeout=stall_timeout)

    def record(self, server: str, file_id: str, *, stop: Stop | None = None) -> FileRecord:
        """Ask a server what it has recorded of a file's newest version.

        Parameters
        ----------
        server, file_id
            Which.
        stop
            Ends the wait.

        Raises
        ------
        NgasFileMissingError, NgasAwayError, NgasRefusedError
            As `open` does.
        """
        with self._answer(server, "STATUS", {"file_id": file_id}, Waiting(stop=stop or Stop())) as reply:
            status = self._document(server, reply)
        found = [file for file in status.files if file.file_id == file_id]
        if not found:
            raise NgasAwayError(f"{server} answered a STATUS of {file_id} without its record: {status.message}")
        return max(found, key=lambda file: file.version)

    @contextmanager
    def open(
        self,
        server: str,
        file_id: str,
        version: int,
        *,
        start: int = 0,
        stop: Stop | None = None,
        until: float = math.inf,
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
            Ends the wait for a free slot, a connection and an answer, and the body.
        until
            Time of the monotonic clock at which a free slot is waited for no longer.

        Raises
        ------
        FetchAbandonedError
            If told to stop.
        NgasFileMissingError
            If the server is ONLINE and does not have the file.
        NgasAwayError
            If it is busy, offline, unreachable or breaks off.
        NgasRefusedError
            If it does not let us, or redirects to a host that is not allowed.
        """
        headers = {"Range": f"bytes={start}-"} if start else {}
        fields = {"file_id": file_id, "file_version": str(version)}
        waiting = Waiting(stop=stop or Stop(), until=until)
        with self._answer(server, "RETRIEVE", fields, waiting, headers) as reply:
            begin, total = extent_of(reply)
            yield Body(server=server, start=begin, total=total, reply=reply)

    def copy(self, server: str, file_id: str, version: int, outfile: str, *, waiting: Waiting) -> None:
        """Have a server put a version of a file where both of us can read it (``ngamsDirectCopyDppi``).

        Parameters
        ----------
        server
            Which server.
        file_id, version
            Which file.
        outfile
            Absolute path on the shared storage.
        waiting
            Ends the wait for a free slot, and for the copy; the server is silent until it is complete.

        Raises
        ------
        FetchAbandonedError, NgasFileMissingError, NgasAwayError, NgasRefusedError
            As `open` does; refused also where the server has no such plug-in.
        """
        fields = {
            "file_id": file_id,
            "file_version": str(version),
            "processing": "ngamsDirectCopyDppi",
            "processingPars": f"outfile={outfile}",
        }
        with self._answer(server, "RETRIEVE", fields, waiting) as reply:
            try:
                reply.read(_MAX_DOCUMENT)
            except ExchangeError as error:
                raise NgasAwayError(f"{server} broke the answer to a direct copy off: {error}") from error

    def state(self, server: str) -> str:
        """Ask a server for its state, e.g. ``ONLINE``; also while all its slots are taken.

        Raises
        ------
        NgasAwayError, NgasRefusedError
            As `open` does.
        """
        with self._answer(server, "STATUS", {}, Waiting(stop=Stop()), slot=_no_slot) as reply:
            return self._document(server, reply).state

    def is_online(self, server: str) -> bool:
        """Whether a server answers and is ONLINE."""
        try:
            return self.state(server) == "ONLINE"
        except (NgasAwayError, NgasRefusedError, NgasFileMissingError):
            return False

    @contextmanager
    def _answer(
        self,
        server: str,
        command: str,
        fields: dict[str, str],
        waiting: Waiting,
        headers: dict[str, str] | None = None,
        *,
        slot: Slot | None = None,
    ) -> Iterator[Reply]:
        """Follow redirects to the answer of a command, and see that it is a success.

        Whichever host is asked, also one that a redirect leads to, is asked in a slot of its own.
        """
        first = base(server)
        url = first._replace(path=f"{first.path}/{command}", query=urlencode(fields))
        with tracing.calling(
            f"NGAS {command}", {"server.address": server, "alma_restore.file_id": fields.get("file_id", "")}
        ):
            for _ in range(_MAX_REDIRECTS + 1):
                asked = f"{url.scheme}://{url.netloc}"
                with (slot or self._slot)(asked, waiting), self._request(server, url, headers or {}, waiting) as reply:
                    if reply.status not in _REDIRECTS:
                        self._check(server, reply)
                        yield reply
                        return
                    url = self._allowed(server, urljoin(url.geturl(), reply.headers.get("location", "")))
        raise NgasRefusedError(f"{server} redirects more than {_MAX_REDIRECTS} times; see how its cluster is set up")

    def _slot(self, server: str, waiting: Waiting) -> AbstractContextManager[None]:
        return self.hosts.hold(server, waiting.stop, until=waiting.until)

    def _request(self, server: str, url: SplitResult, headers: dict[str, str], waiting: Waiting) -> Reply:
        sent = {"Accept-Encoding": "identity", "User-Agent": "alma-restore", **tracing.headers(), **headers}
        if host_of(url.scheme, url.netloc) in self._known:
            sent |= self._credentials
        try:
            return self._exchanges.get(url, sent, waiting)
        except BadAddressError as error:
            raise NgasRefusedError(f"{server} is no address of a server: {error}") from error
        except ExchangeError as error:
            waiting.stop.check()
            raise NgasAwayError(f"{server} does not answer: {error}") from error

    def _allowed(self, server: str, address: str) -> SplitResult:
        target = urlsplit(address)
        netloc = host_of(target.scheme, target.netloc)
        if target.scheme not in ("http", "https") or netloc not in self._known:
            raise NgasRefusedError(
                f"{server} redirects to {netloc or address!r}, which is not an allowed host; "
                "if it is one of the archive's, add it to ALMA_RESTORE_NGAS_FETCHER_ALLOWED_HOSTS"
            )
        return target

    def _check(self, server: str, reply: Reply) -> None:
        if reply.status in _SUCCESSES:
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


def _no_slot(_server: str, _waiting: Waiting) -> AbstractContextManager[None]:
    return nullcontext()


def _basic(account: str) -> dict[str, str]:
    """Make the header of HTTP Basic."""
    return {"Authorization": f"Basic {b64encode(account.encode()).decode()}"}
