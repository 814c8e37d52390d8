"""Examines what the request desk depends on: the ledger's database and its tables."""

from services.request_desk.ledger.migrating import newest, revision_of
from services.request_desk.ledger.settings import LedgerSettings
from shared.findings import Findings

_MIGRATE = "run `alma-restore ledger migrate`"


def examine_ledger(settings: LedgerSettings) -> Findings:
    """See whether the ledger's tables are those of this release; nothing is written."""
    findings = Findings("ledger")
    if settings.url is None:
        findings.warn("database", "no ledger is kept", "set ALMA_RESTORE_REQUEST_DESK_LEDGER_URL")
        return findings
    with findings.attempt("database", "start it, and check ALMA_RESTORE_REQUEST_DESK_LEDGER_URL"):
        found = revision_of(settings.address())
        findings.ok("database", "it answers")
        if found == newest():
            findings.ok("tables", f"of this release ({found})")
        elif settings.migrate:
            findings.warn(
                "tables", f"of {found or 'no release'}, not {newest()}", f"the desk brings them; or {_MIGRATE}"
            )
        else:
            findings.fail("tables", f"of {found or 'no release'}, not {newest()}", _MIGRATE)
    return findings
