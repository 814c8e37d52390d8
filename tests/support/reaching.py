"""To which ports of whom pods have to speak: what the document grants them, and what their settings name."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from alma_restore.registry import BUILDERS
from services.notifier.settings import SmtpSettings
from tests.support.kustomized import K8S

Reached = set[tuple[str, str]]
"""Ports, or ranges of them, and the role of whose they are."""
ANYWHERE = "anywhere"
ROOT = K8S.parent
PAGE = ROOT / "docs" / "deploying.md"
_MAIL = "ALMA_RESTORE_NOTIFIER_MAIL__HOST"
_TRACES = "OTEL_EXPORTER_OTLP_ENDPOINT"
_PEERS = {
    "ALMA_RESTORE_BUS__URL": "broker",
    "ALMA_RESTORE_BUS__MANAGEMENT_URL": "broker",
    "ALMA_RESTORE_STORE__ENDPOINT": "objects",
    "ALMA_RESTORE_ARCHIVE_DB_URL": ANYWHERE,
    "ALMA_RESTORE_REQUEST_DESK_LEDGER_URL": ANYWHERE,
    "ALMA_RESTORE_REQUEST_DESK_WEB_SIGN_IN__ISSUER": ANYWHERE,
    "ALMA_RESTORE_NGAS_FETCHER_HOSTS": ANYWHERE,
    _MAIL: ANYWHERE,
    _TRACES: "traces",
}
"""Settings that name whom a service speaks to, and by which role policies choose them."""
_OURS = {
    "ALMA_RESTORE_NOTIFIER_PUBLIC_URL",
    "ALMA_RESTORE_NOTIFIER_MESSAGE_ID_DOMAIN",
    "ALMA_RESTORE_REQUEST_DESK_WEB_BASE_URL",
    "ALMA_RESTORE_REQUEST_DESK_WEB_HOST",
}
"""Settings that hold addresses to which no service speaks: those that we have ourselves."""
_ADDRESS = re.compile(r"[\w+]+://.+|[\w-]+(\.[\w-]+)+(:\d+)?(,.*)?")
_USUAL = {"amqp": 5672, "amqps": 5671, "http": 80, "https": 443, "oracle": 1521, "postgresql": 5432}


def granted(pod: str, *, jobs: bool) -> Reached:
    """Tell what the document's table lets a pod reach.

    Parameters
    ----------
    pod
        Its name.
    jobs
        Whether CASA runs in Jobs.
    """
    head, table = PAGE.read_text().partition("| to whom | ports | from |\n")[1:]
    assert head, f"{PAGE.name} has no table of ports"
    reached: Reached = set()
    for line in table.partition("\n\n")[0].splitlines()[1:]:
        whom, ports, source = (cell.strip() for cell in line.strip("|").split("|"))
        role = re.fullmatch(r"`(?:alma-restore/role: )?([a-z-]+)`.*|(anywhere): .*", whom)
        assert role, whom
        names = re.findall(r"`([a-z-]+)`", source)
        if (source == "all" or pod in names) and (jobs or "components/" not in source):
            reached |= {(port, role[1] or role[2]) for port in re.findall(r"\b\d+(?:-\d+)?\b", ports)}
    return reached


def named(variables: Mapping[str, str]) -> Reached:
    """Tell to which ports of whom a service has to speak with some variables; each address has to be one we know."""
    reached: Reached = set()
    for name, value in variables.items():
        if name in _PEERS:
            reached |= {(str(port), _PEERS[name]) for port in _ports(name, value)}
        else:
            assert name in _OURS or not _ADDRESS.fullmatch(value), f"who is spoken to by {name}={value}?"
    return reached


def missing(needed: Reached, reached: Reached) -> Reached:
    """Leave out of what is needed what is reached, within a range or by itself."""
    within = {
        (str(one), role)
        for port, role in reached
        for first, _, last in [port.partition("-")]
        for one in range(int(first), int(last or first) + 1)
    }
    return needed - within


def read_by(pod: str, shared: Mapping[str, str]) -> dict[str, str]:
    """Leave out of the variables that all pods are given those that bear the name of another service."""
    others = tuple(f"ALMA_RESTORE_{name.upper().replace('-', '_')}_" for name in BUILDERS if name != pod)
    return {name: value for name, value in shared.items() if not name.startswith(others)}


def suggested() -> dict[str, str]:
    """Return what the overlay suggests in a comment: where traces go."""
    text = (K8S / "components" / "site" / "settings.env").read_text()
    return dict(re.findall(rf"^#({_TRACES})=(\S+)$", text, re.MULTILINE))


def without_tls() -> dict[str, str]:
    """Return where broker and store are in the compose project, which has no TLS."""
    common = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["x-environment"]
    return {name: str(value) for name, value in common.items() if _PEERS.get(name) in ("broker", "objects")}


def told(page: Path, sentence: str) -> Reached:
    """Read from a document to which ports anywhere it says that one comes."""
    found = re.search(sentence, page.read_text())
    assert found, f"{page.name} says no more: {sentence}"
    return {(port, ANYWHERE) for port in found.groups()}


def _ports(name: str, value: str) -> Iterator[int]:
    for address in value.split(",") if name.endswith("_HOSTS") else [value]:
        parts = urlsplit(address if "://" in address else f"//{address}")
        default = SmtpSettings.model_fields["port"].default if name == _MAIL else None
        port = re.search(r":(\d+)$", parts.netloc)  # a password may hold what only Compose reads
        yield int(port[1]) if port else default or _USUAL[parts.scheme.partition("+")[0]]
