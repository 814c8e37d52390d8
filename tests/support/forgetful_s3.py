"""A store that forgets conditions, with a clock of its own: it passes requests on to a real one, but for those."""

import time
from collections.abc import Iterator, Set
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

import urllib3
from minio.credentials.credentials import Credentials
from minio.signer import sign_v4_s3
from minio.time import to_amz_date, utcnow

from shared.objects.settings import S3Settings


@contextmanager
def forgetful(store: S3Settings, *, forgets: Set[str], ahead: float = 0.0) -> Iterator[str]:
    """Serve while this lasts; gives the endpoint.

    Parameters
    ----------
    forgets
        Headers that are not passed on, in small letters.
    ahead
        Seconds that its clock is ahead.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if forgets & headers.keys():
                headers = _signed(store, self.command, self.path, headers, forgets)
            answer = http.request(
                self.command,
                f"{store.endpoint}{self.path}",
                body=body,
                headers=headers,
                preload_content=False,
                decode_content=False,
            )
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            if "content-length" not in answer.headers:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string((time.time() if timestamp is None else timestamp) + ahead)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass_on  # noqa: N815  # as the library calls them

        def log_message(self, *args: object) -> None:
            pass

    with (
        urllib3.PoolManager(retries=False) as http,
        ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server,
    ):
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _signed(store: S3Settings, method: str, path: str, headers: dict[str, str], without: Set[str]) -> dict[str, str]:
    """Sign a request anew without some of its headers."""
    now = utcnow()
    kept: dict[str, str | list[str] | tuple[str]] = {
        name: value for name, value in headers.items() if name not in {*without, "authorization"}
    }
    kept["x-amz-date"] = to_amz_date(now)
    digest = headers["x-amz-content-sha256"]
    keys = Credentials(store.access_key, store.secret_key.get_secret_value())
    url = urlsplit(f"http://{headers['host']}{path}")
    signed = sign_v4_s3(
        method=method, url=url, region="us-east-1", headers=kept, credentials=keys, content_sha256=digest, date=now
    )
    return {name: str(value) for name, value in signed.items()}
