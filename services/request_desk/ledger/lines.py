"""Say each fact in one line, for the timeline of a request."""

from collections.abc import Sequence

from contracts.messages.parts import Session
from services.request_desk.ledger.facts import Fact
from shared.sizes import size_text

_PLAIN = {
    "ticket.submitted": "Several MOUSs asked for in one ticket",
    "ticket.refused": "Ticket refused whole",
    "mous.restorable": "The user is told that it can be restored now",
    "products.ready": "All execution blocks are restored",
    "release.granted": "Still entitled: released for delivery",
    "request.failed": "Not all execution blocks could be restored",
    "delivery.expiring": "The user is reminded that the delivery will be removed",
}


def line_of(fact: Fact) -> str:
    """Say what a fact says."""
    text = _PLAIN.get(fact.topic) or _of_request(fact) or _of_block(fact)
    return text or fact.topic


def _of_request(fact: Fact) -> str | None:
    match fact.topic:
        case "request.submitted":
            return f"Asked for by {fact.request.user_name}" if fact.request else "Asked for"
        case "request.accepted":
            return f"Accepted: {fact.entitlement.value}" if fact.entitlement else "Accepted"
        case "request.refused" | "release.withheld":
            verb = "Refused" if fact.topic == "request.refused" else "Withheld"
            return _joined(verb, fact.reason.value if fact.reason else "", fact.detail)
        case "request.cancelled":
            return _joined(f"Cancelled by {fact.by}", fact.detail)
        case "request.waiting":
            return f"{fact.service} waits, attempt {fact.attempt}: {fact.detail}"
        case "request.resent":
            return _joined(f"Sent on again by {fact.by}", fact.detail)
        case "structure.resolved":
            return _structure(fact.sessions or ())
        case "mail.sent":
            mail = fact.mail.value if fact.mail else "?"
            refused = f", {fact.refused_recipients} will never have it" if fact.refused_recipients else ""
            return f"Mail ({mail}) to {_counted(fact.recipients or 0, 'recipient')}{refused}"
        case _:
            return _of_delivery(fact)


def _structure(sessions: Sequence[Session]) -> str:
    """Count blocks and sessions; those without a block have their number, and are told."""
    blocks = sum(len(session.execution_blocks) for session in sessions)
    empty = sum(not session.execution_blocks for session in sessions)
    told = f", {empty} of them empty" if empty else ""
    return f"{_counted(blocks, 'execution block')} in {_counted(len(sessions), 'session')}{told}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _of_delivery(fact: Fact) -> str | None:
    match fact.topic:
        case "delivery.announced":
            return f"Delivered: {_counted(len(fact.files), 'file')} until {fact.expires:%Y-%m-%d}"
        case "delivery.renewed":
            return f"Kept by {fact.by}" if fact.kept else f"Renewed by {fact.by} until {fact.expires:%Y-%m-%d}"
        case "delivery.expired":
            return (
                f"Delivery removed: {_counted(len(fact.removed), 'file')} gone, {len(fact.still_used)} used elsewhere"
            )
        case _:
            return None


def _of_block(fact: Fact) -> str | None:
    match fact.topic:
        case "fetch.progressed":
            return f"Fetched {size_text(fact.bytes_done or 0)} of {size_text(fact.bytes_total or 0)}"
        case "artefacts.staged":
            return "Staged, all was there before" if fact.reused else "Staged"
        case "restore.ordered":
            return f"Restore ordered, CASA {fact.casa}"
        case "restore.started":
            return f"Restore begun on {fact.runner}, attempt {fact.attempt}"
        case "restore.progressed":
            written = "" if fact.bytes_written is None else f", {size_text(fact.bytes_written)} written"
            return f"{fact.activity}: {fact.percent:.0f} %{written}"
        case "restore.completed" if fact.restored is not None:
            how = "found pre-existing" if fact.restored.reused else fact.restored.method
            return f"Restored ({how}): {size_text(fact.restored.tar.size)}"
        case "restore.failed" if fact.failure is not None:
            return _joined(f"Failed at {fact.failure.stage.value}", fact.failure.reason.value, fact.failure.detail)
        case _:
            return None


def _joined(*parts: str) -> str:
    return ": ".join(part for part in parts if part)
