"""A browser without a screen: real HTTP, cookies, redirects one by one, and the headers that browsers send."""

import json as json_module
from http.cookies import SimpleCookie
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3
from urllib3 import BaseHTTPResponse


class Browser:
    """Calls one server; a context manager.

    Parameters
    ----------
    base_url
        The server.
    token
        Sent along with every call, as programs do.
    """

    def __init__(self, base_url: str, *, token: str | None = None) -> None:
        self.base_url = base_url
        self.token = token
        self.cookies: dict[str, str] = {}
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(20))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.clear()

    def get(self, path: str, **headers: str) -> BaseHTTPResponse:
        """Read an address."""
        return self.call("GET", path, headers=headers)

    def post(
        self,
        path: str,
        *,
        form: dict[str, Any] | None = None,
        json: Any = None,
        origin: str | None = "own",
        method: str = "POST",
        headers: dict[str, str] | None = None,
    ) -> BaseHTTPResponse:
        """Change something, from our own page unless told otherwise."""
        sent = dict(headers or {})
        if origin is not None:
            sent["Origin"] = self.base_url if origin == "own" else origin
        body = None
        if form is not None:
            body, sent["Content-Type"] = urlencode(form, doseq=True).encode(), "application/x-www-form-urlencoded"
        if json is not None:
            body, sent["Content-Type"] = json_module.dumps(json).encode(), "application/json"
        return self.call(method, path, body=body, headers=sent)

    def call(
        self, method: str, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> BaseHTTPResponse:
        """Make a call; a redirect is answered, not followed."""
        address = urljoin(self.base_url, path)
        sent = dict(headers or {})
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        elif urlsplit(address).netloc == urlsplit(self.base_url).netloc and self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self._http.request(method, address, body=body, headers=sent, redirect=False)
        if address.startswith(self.base_url):
            self._keep_cookies(answer)
        return answer

    def follow(self, answer: BaseHTTPResponse) -> BaseHTTPResponse:
        """Go where a redirect leads, until there is none."""
        while answer.status in (302, 303, 307):
            answer = self.get(answer.headers["Location"])
        return answer

    def _keep_cookies(self, answer: BaseHTTPResponse) -> None:
        for line in answer.headers.getlist("Set-Cookie"):
            for name, cookie in SimpleCookie(line).items():
                if cookie["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = cookie.value
