"""Command lines that fetch a delivery: the user copies one, and gives it again after a break."""

from collections.abc import Sequence
from shlex import quote

from services.request_desk.deliveries.base import Commands


def commands_for(urls: Sequence[str]) -> Commands:
    """Write the command lines for the files of a delivery."""
    links = " ".join(quote(url) for url in urls)
    return Commands(
        wget=f"wget -c {links}",
        curl=f"curl -L --fail -C - --remote-name-all {links}",
        aria2=f"aria2c -c -x 4 -Z {links}",
    )
