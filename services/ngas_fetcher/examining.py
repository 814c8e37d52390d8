"""Examines what the ngas-fetcher depends on: the archive's servers, and who knows where files are."""

import os
import shutil
from typing import TYPE_CHECKING

from services.ngas_fetcher.adapters import client_of
from services.ngas_fetcher.errors import NgasAwayError, NgasFileMissingError, NgasRefusedError
from services.ngas_fetcher.settings import NgasFetcherSettings, SourceKind
from shared.findings import Findings

if TYPE_CHECKING:
    from shared.archive_db import ArchiveDbSettings


def examine_ngas(settings: NgasFetcherSettings) -> Findings:
    """Ask every server for its state; one that is away is enough to be told of, none at all is a failure."""
    findings = Findings("NGAS")
    client, online = client_of(settings), 0
    for server in settings.hosts:
        try:
            state = client.state(server)
        except (NgasAwayError, NgasRefusedError, NgasFileMissingError) as error:
            findings.warn(server, str(error), "files are got from the other servers; look at this one")
            continue
        if state == "ONLINE":
            online += 1
            findings.ok(server, "ONLINE")
        else:
            findings.warn(server, f"in state {state}", "bring it ONLINE; until then files are got from the others")
    if not online:
        findings.fail("servers", "none is ONLINE", "check ALMA_RESTORE_NGAS_FETCHER_HOSTS and the network")
    _examine_source(findings, settings)
    return findings


def _examine_source(findings: Findings, settings: NgasFetcherSettings) -> None:
    match settings.source:
        case SourceKind.REPORTS:
            folder = settings.location_directory
            if folder is not None and folder.is_dir() and os.access(folder, os.R_OK | os.X_OK):
                findings.ok("location reports", f"{folder} can be read")
            else:
                findings.fail("location reports", f"{folder} cannot be read", "mount it, or name another directory")
        case SourceKind.EXPORT:
            program = settings.export_command[0]
            if shutil.which(program):
                findings.ok("export command", f"{program} is there")
            else:
                findings.fail("export command", f"{program} is not there", "install it, or write its whole path")
        case SourceKind.TABLES:
            pass  # a database of its own: see examine_ngas_tables


def examine_ngas_tables(settings: "ArchiveDbSettings") -> Findings:
    """Compare NGAS's tables with what is read of them to find ASDMs."""
    # Only here, since a process that is given location reports needs no database client.
    from services.ngas_fetcher.ngas_tables import READ
    from shared.archive_db.examining import examine_tables

    return examine_tables(settings, READ, subject="NGAS tables")
