"""Examines what the request desk depends on: the ledger's database and its tables, and the trigger files."""

import os
import tempfile
from pathlib import Path

from services.request_desk.intake.directory import REJECTED, TriggerDirectory
from services.request_desk.ledger.migrating import is_newer, newest, revision_of
from services.request_desk.ledger.settings import LedgerSettings
from shared.findings import Findings

_MIGRATE = "run `alma-restore ledger migrate`"
_AS_THEY_ARE = "ALMA_RESTORE_REQUEST_DESK_LEDGER_MIGRATE=false"


def examine_ledger(settings: LedgerSettings, *, is_shown: bool) -> Findings:
    """See whether the ledger's tables are those of this release; nothing is written.

    Parameters
    ----------
    settings
        Where the ledger is.
    is_shown
        Whether the web server is to show what is in it, and does not start without.
    """
    findings = Findings("ledger")
    if settings.url is None:
        note = findings.fail if is_shown else findings.warn
        note("database", "no ledger is kept", "set ALMA_RESTORE_REQUEST_DESK_LEDGER_URL")
        return findings
    with findings.attempt("database", "start it, and check ALMA_RESTORE_REQUEST_DESK_LEDGER_URL"):
        found = revision_of(settings.address())
        findings.ok("database", "it answers")
        if found == newest():
            findings.ok("tables", f"of this release ({found})")
        elif is_newer(found):
            of_later = f"of a later release ({found}; this one knows {newest()})"
            if settings.migrate:
                findings.fail("tables", of_later, f"run the later release, or this one with {_AS_THEY_ARE}")
            else:
                findings.warn("tables", of_later, "they are used as they are; run the later release in the end")
        elif settings.migrate:
            findings.warn(
                "tables", f"of {found or 'no release'}, not {newest()}", f"the desk brings them; or {_MIGRATE}"
            )
        else:
            findings.fail("tables", f"of {found or 'no release'}, not {newest()}", _MIGRATE)
    return findings


def examine_triggers(root: Path | None) -> Findings:
    """Do in the directory of trigger files what is done with them, by a hidden file that is removed again."""
    findings = Findings("trigger files")
    if root is None:
        findings.ok("directory", "none is watched")
        return findings
    directory = TriggerDirectory(root)
    with findings.attempt(
        "directory", f"make {root}, or mount it, and let the desk's user (id {os.getuid()}) list and write it"
    ):
        waiting = len(directory.files())
        with tempfile.NamedTemporaryFile(dir=root, prefix=".doctor-") as file:
            findings.ok("directory", f"{root} can be listed and written; files that lie there: {waiting}")
            _examine_rejecting(findings, Path(file.name), directory.root / REJECTED)
    return findings


def _examine_rejecting(findings: Findings, file: Path, rejected: Path) -> None:
    """Move a file as unreadable ones are."""
    folder = rejected if os.path.lexists(rejected) else rejected.parent  # the desk makes it when it needs it
    moved = folder / f"{file.name}.moved"
    advice = f"let {rejected} be a plain directory that the desk may write, on the same file system"
    with findings.attempt("rejected files", advice):
        file.rename(moved)
        moved.rename(file)
        findings.ok("rejected files", f"can be moved to {rejected}")
