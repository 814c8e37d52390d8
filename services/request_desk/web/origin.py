"""Where a call that changes something comes from: another site's page must not make it in a user's name."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from services.request_desk.web.faults import RefusedError
from services.request_desk.web.settings import is_loopback

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def check_origin(method: str, headers: Mapping[str, str], *, own: str, by_cookie: bool) -> None:
    """Let a call pass that changes nothing, or comes from our own pages, or from a program with a token.

    A browser sends cookies along with what any page sends, but tells the page's origin with it; a
    token it sends only if our own page told it to.

    Parameters
    ----------
    method, headers
        Of the call.
    own
        Our origin: scheme, host and port.
    by_cookie
        Whether the caller is known by a cookie.

    Raises
    ------
    RefusedError
        If another site's page made the call, or a browser that does not say which one.
    """
    if method in SAFE_METHODS:
        return
    origin = headers.get("origin") or _origin_of(headers.get("referer", ""))
    if origin == own:
        return
    if origin or headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        raise RefusedError("this call came from a page of another site", reason="foreign_origin")
    if by_cookie and headers.get("sec-fetch-site") != "same-origin":
        raise RefusedError(
            "a call that changes something must say where it comes from (Origin), or bring a token",
            reason="no_origin",
        )


def check_host(host: str) -> None:
    """Refuse a name that is not this machine's own, which another site has made to lead here (DNS rebinding).

    Raises
    ------
    RefusedError
        If it is another name.
    """
    if not is_loopback(urlsplit(f"//{host}").hostname or ""):
        raise RefusedError("use the address that was shown at the start", reason="foreign_host")


def local_path(text: str) -> str:
    """Return a path of this site as it is, and the start page for all else: nobody is sent to other sites."""
    parts = urlsplit(text.replace("\\", "/"))
    inside = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return text if inside and text.isprintable() and " " not in text else "/"


def _origin_of(referer: str) -> str:
    parts = urlsplit(referer)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else ""
