"""Speaks to a Kubernetes cluster by its REST interface, with the account of the pod that it runs in."""

import json
from collections.abc import Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError

from services.casa_runner.errors import CasaAwayError
from services.casa_runner.launchers.kubernetes_manifest import APP, CONTAINER, LABEL
from services.casa_runner.launchers.settings import KubernetesSettings

_LOG_BYTES = 50_000_000
_GONE = HTTPStatus.NOT_FOUND


class KubernetesApi:
    """The jobs of one namespace, and their pods.

    Parameters
    ----------
    settings
        Where the cluster answers, the namespace and the patience.
    """

    def __init__(self, settings: KubernetesSettings) -> None:
        self._settings = settings
        self._jobs = f"/apis/batch/v1/namespaces/{settings.namespace}/jobs"
        self._pods = f"/api/v1/namespaces/{settings.namespace}/pods"

    def create(self, manifest: Mapping[str, Any]) -> None:
        """Create a job; one of the same name is left as it is."""
        self._ask("POST", self._jobs, body=manifest, but=HTTPStatus.CONFLICT)

    def job(self, name: str) -> dict[str, Any] | None:
        """Read a job; None if there is none of the name."""
        return self._ask("GET", f"{self._jobs}/{name}", but=_GONE)

    def jobs(self) -> list[dict[str, Any]]:
        """List all jobs that runners have made."""
        found = self._ask("GET", self._jobs, query={"labelSelector": f"app.kubernetes.io/name={APP}"})
        return list((found or {})["items"])

    def pods(self, name: str) -> dict[str, Any]:
        """List the pods of a job."""
        return self._ask("GET", self._pods, query={"labelSelector": f"{LABEL}={name}"}) or {}

    def log(self, pod: str) -> bytes:
        """Read what CASA's container of a pod printed; nothing if it never began."""
        query = {"container": CONTAINER, "limitBytes": _LOG_BYTES}
        answer = self._send("GET", f"{self._pods}/{pod}/log", query=query)
        return bytes(answer.data) if answer.status == HTTPStatus.OK else b""

    def delete(self, name: str) -> None:
        """Delete a job with its pods; its name is free when they are gone."""
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"}
        self._ask("DELETE", f"{self._jobs}/{name}", body=options, but=_GONE)

    def answers(self) -> bool:
        """Whether the cluster lets us make jobs."""
        attributes = {"namespace": self._settings.namespace, "verb": "create", "group": "batch", "resource": "jobs"}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        try:
            answer = self._ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review)
        except CasaAwayError:
            return False
        return bool((answer or {}).get("status", {}).get("allowed"))

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: Mapping[str, Any] | None = None,
        but: HTTPStatus | None = None,
    ) -> dict[str, Any] | None:
        """Ask for a document; None if the answer is the one refusal that is expected."""
        answer = self._send(method, path, query=query, body=body)
        if answer.status == but:
            return None
        try:
            document = dict(answer.json())
        except ValueError:
            document = {"message": answer.data[:200].decode(errors="replace")}
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise CasaAwayError(
                f"Kubernetes refuses {method} {path}: {answer.status} {document.get('message', 'without a word')}"
            )
        return document

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        settings = self._settings
        url = f"{settings.api.rstrip('/')}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            return self._pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body),
                headers=self._headers,
                timeout=settings.answer_timeout,
                retries=False,
            )
        except HTTPError as error:
            raise CasaAwayError(f"Kubernetes does not answer at {settings.api}: {error}") from error

    @property
    def _headers(self) -> dict[str, str]:
        """Read the token each time: the cluster renews it about once an hour."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        token = self._settings.account / "token"
        if token.exists():
            headers["Authorization"] = f"Bearer {token.read_text().strip()}"
        return headers

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        authority = self._settings.account / "ca.crt"
        return urllib3.PoolManager(ca_certs=str(authority) if authority.exists() else None)
