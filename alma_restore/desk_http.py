"""Calls to the request desk: tokens, faults as sentences, and live events that go on after a break."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3 import BaseHTTPResponse

from alma_restore.desk_settings import DeskAccess
from shared.errors import DependencyAwayError, MisconfiguredError, RestoreError

_AGAIN = (429, 502, 503, 504)
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)


class DeskRefusedError(RestoreError):
    """The desk does not do what was asked.

    Attributes
    ----------
    status
        As HTTP calls it.
    problem
        What the desk says, with its stable ``code``.
    """

    code = "desk_refused"

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{problem.get('title', 'refused')}: {problem.get('detail', status)}")
        self.status = status
        self.problem = problem


class DeskAwayError(DependencyAwayError):
    """The desk does not answer."""

    code = "desk_away"


class DeskHttp:
    """Speaks HTTP with one desk.

    Parameters
    ----------
    access
        Where it is, and who calls.

    Raises
    ------
    MisconfiguredError
        If the desk's address is not set.
    """

    def __init__(self, *, access: DeskAccess) -> None:
        if access.url is None:
            raise MisconfiguredError("say where the desk is: --desk https://…, or set ALMA_RESTORE_DESK_URL")
        self.url = access.url.rstrip("/")
        self._access = access
        ca_file = str(access.ca_file) if access.ca_file else None
        self.pool = urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(access.timeout_seconds), maxsize=16, ca_certs=ca_file
        )
        self._token: tuple[str, float] | None = None

    def get(self, path: str, **query: object) -> Any:
        """Read an answer as JSON."""
        found = {name: value for name, value in query.items() if value is not None}
        return self._call("GET", f"{path}?{urlencode(found, doseq=True)}" if found else path)

    def post(self, path: str, body: dict[str, Any] | None = None, *, key: str | None = None) -> Any:
        """Change something; a call with a key may be repeated."""
        headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
        return self._call("POST", path, body=json.dumps(body or {}).encode(), headers=headers, again=key is not None)

    def events(self, path: str) -> Iterator[tuple[str, Any]]:
        """Give live events until the last one; after a break it goes on where it was.

        Raises
        ------
        DeskRefusedError
            If the desk does not show it.
        DeskAwayError
            If it has not answered for half a minute.
        """
        seen, pauses = "", iter(_PAUSES)
        while True:
            try:
                for name, number, data in self._events(path, seen):
                    seen, pauses = number, iter(_PAUSES)
                    yield name, data
                    if name == "end":
                        return
            except (urllib3.exceptions.HTTPError, DeskAwayError) as error:
                pause = next(pauses, None)
                if pause is None:
                    raise DeskAwayError(f"{self.url} does not answer any more: {error}") from error
                time.sleep(pause)

    def headers(self) -> dict[str, str]:
        """Return the headers by which the caller is known."""
        token = self._current_token()
        return {"Authorization": f"Bearer {token}"} if token else {}

    def close(self) -> None:
        """Release connections."""
        self.pool.clear()

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        again: bool = True,
    ) -> Any:
        pauses = iter(_PAUSES[:3] if again else ())
        while True:
            try:
                with self._reaching():
                    answer = self.pool.request(
                        method, self.url + path, body=body, headers={**self.headers(), **(headers or {})}
                    )
                if answer.status not in _AGAIN or (pause := next(pauses, None)) is None:
                    return _read(answer)
            except DeskAwayError:
                if (pause := next(pauses, None)) is None:
                    raise
            time.sleep(pause)

    def _events(self, path: str, seen: str) -> Iterator[tuple[str, str, Any]]:
        headers = {**self.headers(), "Accept": "text/event-stream", **({"Last-Event-ID": seen} if seen else {})}
        answer = self.pool.request("GET", self.url + path, headers=headers, preload_content=False)
        try:
            if answer.status in _AGAIN:
                raise DeskAwayError(f"{self.url} answers {answer.status}")
            if answer.status != 200:
                _read(answer)
            found: dict[str, str] = {}
            for line in _lines(answer):
                name, _, value = line.partition(": ")
                if line and not line.startswith(":"):
                    found[name] = value
                elif not line and "data" in found:
                    yield found["event"], found["id"], json.loads(found["data"])
                    found = {}
        finally:
            answer.close()
        raise DeskAwayError(f"{self.url} ended the connection")

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except urllib3.exceptions.HTTPError as error:
            raise DeskAwayError(f"{self.url} cannot be reached: {error}") from error

    def _current_token(self) -> str | None:
        if self._access.token is not None:
            return self._access.token.get_secret_value()
        if self._access.token_url is None:
            return None
        if self._token is None or time.monotonic() > self._token[1]:
            self._token = self._new_token()
        return self._token[0]

    def _new_token(self) -> tuple[str, float]:
        access = self._access
        assert access.token_url, "asked for only if there is one"
        assert access.client_secret, "it belongs to the token's address"
        form = {
            "grant_type": "client_credentials",
            "client_id": access.client_id or "",
            "client_secret": access.client_secret.get_secret_value(),
        }
        with self._reaching():
            answer = self.pool.request_encode_body("POST", access.token_url, fields=form, encode_multipart=False)
        if answer.status != 200:
            raise MisconfiguredError(f"{access.token_url} gives no token: status {answer.status}")
        found = answer.json()
        # A token is renewed well before it ends, so that no call is made with one that ends on the way.
        return found["access_token"], time.monotonic() + 0.8 * float(found.get("expires_in", 60))


def _read(answer: BaseHTTPResponse) -> Any:
    """Read an answer, or say why it is none."""
    data = answer.data
    if answer.status < 300:
        return json.loads(data) if data else None
    try:
        problem = json.loads(data)
    except ValueError:
        problem = {"title": f"status {answer.status}", "detail": data.decode(errors="replace")[:500]}
    if answer.status in _AGAIN and answer.status != 429:
        raise DeskAwayError(f"the desk cannot answer now: {problem.get('detail', answer.status)}")
    raise DeskRefusedError(answer.status, problem)


def _lines(answer: BaseHTTPResponse) -> Iterator[str]:
    rest = b""
    while data := answer.read1(65536):
        *lines, rest = (rest + data).split(b"\n")
        yield from (line.decode().rstrip("\r") for line in lines)
