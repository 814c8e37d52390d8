"""Fold the facts about a delivery: its files, until when it waits, whether it is gone; and who sent events on."""

from collections.abc import Sequence

from services.request_desk.ledger.facts import Fact
from services.request_desk.ledger.records import DeliveryRecord, Resent


def delivery_of(applied: Sequence[Fact]) -> DeliveryRecord | None:
    """Tell what waits for the user; the first announcement counts."""
    announced = next((fact for fact in applied if fact.topic == "delivery.announced"), None)
    if announced is None or announced.address is None or announced.expires is None:
        return None
    renewals = [fact for fact in applied if fact.topic == "delivery.renewed"]
    last = renewals[-1] if renewals else None
    reminded = next((fact.said for fact in reversed(applied) if fact.topic == "delivery.expiring"), None)
    gone = next((fact for fact in applied if fact.topic == "delivery.expired"), None)
    known = DeliveryRecord(
        address=announced.address,
        files=announced.files,
        announced=announced.said,
        expires=announced.expires if last is None or last.expires is None else last.expires,
        reused=announced.reused,
        kept_by=last.by if last is not None and last.kept else None,
        renewals=len(renewals),
        reminded=reminded,
    )
    if gone is None:
        return known
    about = {"removed": gone.said, "removed_files": gone.removed, "still_used": gone.still_used, "freed": gone.freed}
    return known.model_copy(update=about)


def resent_of(applied: Sequence[Fact]) -> tuple[Resent, ...]:
    """Tell who sent unfinished events on again."""
    return tuple(
        Resent(by=fact.by or fact.source, reason=fact.detail, at=fact.said, events=fact.events)
        for fact in applied
        if fact.topic == "request.resent"
    )
