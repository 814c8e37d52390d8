"""What a server's refusals mean: wait, or let a person change something."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from pydantic import SecretStr

from shared.errors import DependencyAwayError, MisconfiguredError, RestoreError
from shared.objects import S3Settings
from shared.objects.s3 import S3Store


@contextmanager
def answering(status: int, body: str, kind: str) -> Iterator[S3Store]:
    """Open a store on a server that gives every request one answer."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body.encode())

        do_HEAD = do_GET = do_PUT = answer  # noqa: N815  (the names are http.server's)

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  (the name is http.server's)

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        settings = S3Settings(
            endpoint=f"http://127.0.0.1:{server.server_port}",
            access_key="a",
            secret_key=SecretStr("b"),
            bucket="bucket",
            retries=0,
        )
        with closing(S3Store(settings)) as store:
            yield store
        server.shutdown()


def error_document(code: str) -> str:
    return f"<Error><Code>{code}</Code><Message>said so</Message></Error>"


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (503, "SlowDown", DependencyAwayError),
        (500, "InternalError", DependencyAwayError),
        (429, "TooManyRequests", DependencyAwayError),
        (409, "OperationAborted", DependencyAwayError),
        (403, "AccessDenied", MisconfiguredError),
        (403, "SignatureDoesNotMatch", MisconfiguredError),
        (403, "RequestTimeTooSkewed", MisconfiguredError),
        (404, "NoSuchBucket", MisconfiguredError),
        (400, "AuthorizationHeaderMalformed", MisconfiguredError),
    ],
)
def test_a_refusal_is_waited_for_or_told(status: int, code: str, error: type[RestoreError]) -> None:
    with answering(status, error_document(code), "application/xml") as store:
        store._bucket_seen = True  # else the answer to the look for the bucket, which has no body, decides
        with pytest.raises(error, match=code):
            store.get("a/key")


@pytest.mark.parametrize(
    ("status", "error"), [(502, DependencyAwayError), (504, DependencyAwayError), (404, MisconfiguredError)]
)
def test_the_page_of_a_proxy_is_no_answer_of_a_store(status: int, error: type[RestoreError]) -> None:
    with answering(status, "<html>proxy</html>", "text/html") as store, pytest.raises(error):
        store.get("a/key")
