"""Servers' addresses: ``host:port`` or ``https://host:port``, in one spelling wherever they are compared."""

import re
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[\w.:-]+")


@lru_cache
def base(server: str) -> SplitResult:
    """Read a server's address; ``host:port`` is HTTP."""
    return urlsplit((server if "://" in server else f"http://{server}").rstrip("/"))


@lru_cache
def host_of(scheme: str, netloc: str) -> str:
    """Return ``host:port`` in one spelling; empty if this is no address."""
    url = SplitResult(scheme, netloc, "", "", "")
    try:
        port = url.port
    except ValueError:
        return ""
    return f"{(url.hostname or '').lower()}:{port or PORTS.get(scheme, 80)}" if url.hostname else ""


def host_of_server(server: str) -> str:
    """Return ``host:port`` of a server in one spelling."""
    return host_of(*base(server)[:2])


def is_server(server: str) -> bool:
    """Whether this is an address that a server can have."""
    try:
        url = base(server)
    except ValueError:
        return False
    return url.scheme in PORTS and bool(_HOST.fullmatch(url.hostname or "")) and bool(host_of(*url[:2]))
