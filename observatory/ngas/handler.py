"""The HTTP side of the small NGAS server: commands in, documents and bytes out."""

import json
import re
import shutil
import socket
import struct
from base64 import b64encode
from http.server import BaseHTTPRequestHandler
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from observatory.ngas.archive import StoredFile
from observatory.ngas.documents import Voice, content_type, query_rows, status_document
from observatory.ngas.faults import Fault
from observatory.ngas.retrieve import InvalidRangeError, body_for, send_body

if TYPE_CHECKING:
    from observatory.ngas.server import HttpServer, RequestLog

DIRECT_COPY = "ngamsDirectCopyDppi"
_XML = "text/xml"


class NgasHandler(BaseHTTPRequestHandler):
    """Answers one request; HTTP/1.0, so the connection closes after it."""

    protocol_version = "HTTP/1.0"
    server_version = "NGAMS/v12.0"
    sys_version = ""
    server: "HttpServer"

    def do_GET(self) -> None:
        """Answer a command, if there is a free slot and nothing is wrong with the server."""
        ngas = self.server.ngas
        address = urlsplit(self.path)
        self._command = address.path.strip("/")
        self._parameters = dict(parse_qsl(address.query))
        self._log: RequestLog = ngas.note(self, self._command, self._parameters.get("file_id"))
        with ngas.slot() as free:
            fault = ngas.faults.take(self._command, self._parameters.get("file_id"))
            self._voice = Voice(host_id=ngas.host_id, address=ngas.address, offline=fault.offline)
            if not free or fault.busy:
                self._be_busy(fault)
            elif self._is_allowed():
                self._answer(fault)

    def do_HEAD(self) -> None:
        """Close without a word, as the real server does."""
        self.close_connection = True

    def do_OPTIONS(self) -> None:
        """Close without a word too."""
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it so
        """Say nothing: what was asked is kept in the server's list of requests."""

    def _answer(self, fault: Fault) -> None:
        match self._command:
            case "RETRIEVE":
                self._retrieve(fault)
            case "STATUS":
                self._status()
            case "QUERY":
                self._query()
            case command:
                self._fail(f"Unknown command: {command}", status=404)

    def _retrieve(self, fault: Fault) -> None:
        if fault.offline:
            self._fail("NGAMS_ER_IMPROPER_STATE:4015:ERROR: Server is in state OFFLINE, cannot handle RETRIEVE.")
        elif fault.redirect_to:
            self._redirect(fault.redirect_to)
        elif not self._parameters.get("file_id"):
            self._fail("NGAMS_ER_RETRIEVE_CMD:4018:ERROR: Illegal RETRIEVE request: no file_id given.")
        elif (file := self._find()) is None:
            self._fail_unknown()
        elif "processing" in self._parameters:
            self._process(file)
        else:
            self._send_file(file, fault)

    def _process(self, file: StoredFile) -> None:
        """Do what the one known plug-in does: copy the file to where the client wants it."""
        plugin, pars = self._parameters["processing"], self._parameters.get("processingPars", "")
        if plugin != DIRECT_COPY or not pars.startswith("outfile="):
            self._fail(f"NGAMS_ER_ILL_DPPI:4034:ERROR: Illegal processing {plugin} requested.")
            return
        shutil.copyfile(self.server.ngas.root / file.path, pars.removeprefix("outfile="))
        self._send(b"", "text/plain")

    def _send_file(self, file: StoredFile, fault: Fault) -> None:
        try:
            body = body_for(self.headers.get("Range"), file.size, fault)
        except InvalidRangeError as error:
            self._fail(f"NGAMS_ER_RETRIEVE_CMD:4018:ERROR: Invalid range: {error}. Only bytes=N- is supported.")
            return
        self._begin(200, content_type(file.file_id), body.content_length)
        self.send_header("Content-Disposition", f'attachment; filename="{PurePosixPath(file.file_id).name}"')
        if body.resumed:
            self.send_header("Content-Range", body.content_range)
        self.end_headers()
        self._log.sent = send_body(
            self.connection, self.server.ngas.root / file.path, body, fault, self.server.ngas.wait_while_running
        )
        if fault.reset and self._log.sent < body.content_length:
            self._reset()

    def _status(self) -> None:
        if "file_id" not in self._parameters:
            self._send(status_document(self._voice, "Successfully handled command STATUS"))
        elif self._voice.offline or (file := self._find()) is None:
            self._fail_unknown()
        else:
            self._send(status_document(self._voice, "Successfully handled command STATUS", files=(file,)))

    def _query(self) -> None:
        query, like = self._parameters.get("query", "").lower(), self._parameters.get("like", "%")
        try:
            labels, rows = query_rows(query, like, self.server.ngas.store.files(), self._voice.host_id)
        except KeyError:
            self._fail(
                "Invalid query specified. Valid queries are: files_list, files_like, files_location, lastver_location"
            )
            return
        if self._parameters.get("format") == "json":
            answer = [dict(zip(labels, row, strict=False)) for row in rows]
            self._send(json.dumps(answer).encode(), "application/json")
        else:
            self._send(str(rows).encode(), "application/python-list")

    def _find(self) -> StoredFile | None:
        version = self._parameters.get("file_version", "")
        return self.server.ngas.store.find(
            self._parameters["file_id"], int(version) if re.fullmatch(r"\d+", version) else None
        )

    def _is_allowed(self) -> bool:
        """Whether the credentials are right; if not, say 401 without the header that would ask for them."""
        wanted = self.server.ngas.credentials
        if (
            wanted is None
            or self.headers.get("Authorization") == f"Basic {b64encode(':'.join(wanted).encode()).decode()}"
        ):
            return True
        self._begin(401, _XML, 0)
        self.end_headers()
        return False

    def _redirect(self, host: str) -> None:
        self._begin(303, _XML, 0)
        self.send_header("Location", f"http://{host}{self.path}")
        self.end_headers()

    def _be_busy(self, fault: Fault) -> None:
        self._log.status = 503
        self.send_response(503)
        self.end_headers()
        if fault.reset:
            self._reset()

    def _reset(self) -> None:
        """Let the close that follows be a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _fail_unknown(self) -> None:
        file_id = self._parameters.get("file_id")
        self._fail(f"NGAMS_ER_UNAVAIL_FILE:4019:ERROR: File with ID: {file_id} is not available on this system.")

    def _fail(self, message: str, *, status: int = 400) -> None:
        self._send(status_document(self._voice, message, failed=True), status=status)

    def _send(self, data: bytes, mime_type: str = _XML, *, status: int = 200) -> None:
        self._begin(status, mime_type, len(data))
        self.end_headers()
        self.wfile.write(data)
        self._log.sent = len(data)

    def _begin(self, status: int, mime_type: str, length: int) -> None:
        self._log.status = status
        self.send_response(status)
        self.send_header("Content-Type", mime_type)
        self.send_header("Content-Length", str(length))
