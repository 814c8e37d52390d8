"""A stand-in for a Kubernetes cluster: the REST interface as far as runners use it, and pods that are processes."""

import json
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.support.kubernetes_pod import Pod
from tests.support.kubernetes_schemas import NotTakenError, check
from tests.support.ports import free_ports

NAMESPACE = "casa"
_JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
Answer = tuple[HTTPStatus, "dict[str, Any] | bytes"]


class KubernetesCluster:
    """Jobs of one namespace, each with one pod; whoever asks has to show the token.

    Parameters
    ----------
    folder
        For the service account and the logs of pods.

    Attributes
    ----------
    images
        Those that can be pulled.
    has_nodes
        Whether pods find a node; without, they wait.
    allowed
        Whether the account may make jobs.
    asked
        Methods and paths of all requests.
    """

    def __init__(self, folder: Path) -> None:
        self.account = folder / "account"
        self.account.mkdir()
        self.renew_token()
        self.images: set[str] = set()
        self.has_nodes = True
        self.allowed = True
        self.asked: list[str] = []
        self._folder = folder
        self._jobs: dict[str, dict[str, Any]] = {}
        self._pods: dict[str, Pod] = {}
        self._lock = Lock()
        [self._port] = free_ports(1)
        self._server: ThreadingHTTPServer | None = None

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self.stop()
        for pod in self._pods.values():
            pod.end()

    def start(self) -> None:
        """Answer."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), _handler(self))
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Answer no more; pods work on."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
        self._server = None

    def renew_token(self) -> None:
        """Give the account another token, as clusters do every hour."""
        (self.account / "token").write_text(secrets.token_hex(8))

    def pod(self) -> Pod:
        """Return the only pod."""
        [pod] = self._pods.values()
        return pod

    def names(self) -> list[str]:
        """Name all jobs."""
        return list(self._jobs)

    def forget_pod(self) -> None:
        """Lose the only pod with its node."""
        self.pod().end()
        self._pods.clear()

    def is_known(self, authorization: str | None) -> bool:
        """Whether somebody shows the token."""
        return authorization == f"Bearer {(self.account / 'token').read_text()}"

    def answer(self, method: str, target: str, body: dict[str, Any]) -> Answer:
        """Answer a request of somebody who may ask."""
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        with self._lock:
            if (method, url.path) == ("POST", _REVIEWS):
                return HTTPStatus.CREATED, body | {"status": {"allowed": self.allowed}}
            if url.path == _JOBS:
                return self._create(body) if method == "POST" else self._list(query)
            if url.path == _PODS:
                label, _, value = query["labelSelector"].partition("=")
                pods = [pod.document() for pod in self._pods.values() if pod.labels[label] == value]
                return HTTPStatus.OK, {"kind": "PodList", "items": pods}
            folder, _, name = url.path.rpartition("/")
            if folder == _JOBS and name in self._jobs:
                return self._delete(name, body) if method == "DELETE" else (HTTPStatus.OK, self._job(name))
            if name == "log" and (pod := self._pods.get(folder.rpartition("/")[2])):
                return pod.log(query["container"])
        return _refusal(HTTPStatus.NOT_FOUND, f"{url.path} not found")

    def _create(self, manifest: dict[str, Any]) -> Answer:
        name = manifest["metadata"]["name"]
        if not self.allowed:
            return _refusal(HTTPStatus.FORBIDDEN, "jobs.batch is forbidden")
        try:
            check(manifest)
        except NotTakenError as error:
            return _refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        if name in self._jobs:
            return _refusal(HTTPStatus.CONFLICT, f'jobs.batch "{name}" already exists')
        self._jobs[name] = manifest
        pod = Pod(manifest, self._folder, pulls=self.images if self.has_nodes else None)
        self._pods[pod.name] = pod
        return HTTPStatus.CREATED, self._job(name)

    def _list(self, query: Mapping[str, str]) -> Answer:
        label, _, value = query["labelSelector"].partition("=")
        found = [name for name, job in self._jobs.items() if job["metadata"]["labels"].get(label) == value]
        return HTTPStatus.OK, {"kind": "JobList", "items": [self._job(name) for name in found]}

    def _job(self, name: str) -> dict[str, Any]:
        pod = self._pods.get(f"{name}-x7k2p")
        conditions = pod.conditions() if pod else [_failed("BackoffLimitExceeded")]
        return self._jobs[name] | {"status": {"conditions": conditions}}

    def _delete(self, name: str, options: Mapping[str, Any]) -> Answer:
        assert options["propagationPolicy"] == "Foreground"
        document = self._job(name)
        del self._jobs[name]
        if pod := self._pods.pop(f"{name}-x7k2p", None):
            pod.end()
        return HTTPStatus.OK, document


def _failed(reason: str) -> dict[str, str]:
    return {"type": "Failed", "status": "True", "reason": reason}


def _refusal(status: HTTPStatus, message: str) -> Answer:
    return status, {"kind": "Status", "status": "Failure", "code": int(status), "message": message}


def _handler(cluster: KubernetesCluster) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the base class's name
            cluster.asked.append(f"{self.command} {self.path}")
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            if cluster.is_known(self.headers.get("Authorization")):
                status, document = cluster.answer(self.command, self.path, body)
            else:
                status, document = _refusal(HTTPStatus.UNAUTHORIZED, "Unauthorized")
            answer = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_DELETE = do_GET  # noqa: N815  # the base class looks for these names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
