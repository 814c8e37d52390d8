"""Fold the facts about a request into what is known of it: a pure function of the set of facts."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.messages.parts import MailKind, RestoreRequest, Session
from contracts.reasons import REASONS
from services.request_desk.ledger.blocks import Contradiction, fold_block, waiting_of
from services.request_desk.ledger.delivering import delivery_of, resent_of
from services.request_desk.ledger.facts import Fact
from services.request_desk.ledger.order import by_cause
from services.request_desk.ledger.records import BlockRecord, IllegalMove, MailRecord, RequestRecord
from services.request_desk.ledger.states import RequestState
from services.request_desk.ledger.timing import expected_end, moved, percent, step_of, times_of
from services.request_desk.ledger.transitions import BLOCK_RULES, request_rule


def fold(request_id: UUID, facts: Iterable[Fact]) -> RequestRecord:
    """Tell what is known of a request.

    Parameters
    ----------
    request_id
        The request.
    facts
        All that are known about it, in any order.
    """
    ordered = by_cause(facts)
    state, applied, contradictions = _walk(ordered)
    blocks, of_blocks = _blocks(ordered, contradictions)
    mails = tuple(_mails(ordered))
    step = step_of(state, blocks, mailed=bool(mails))
    last_moved = moved(applied)
    return RequestRecord(
        id=request_id,
        state=state,
        step=step,
        blocks=blocks,
        mails=mails,
        moved=last_moved,
        percent=percent(state, blocks),
        expected_end=expected_end(state, blocks),
        times=times_of(applied, blocks, step),
        waiting=waiting_of(ordered, since=_latest(last_moved, blocks), over=state.is_over),
        delivery=delivery_of(applied),
        resent=resent_of(applied),
        illegal=tuple(_illegal(request_id, each) for each in (*contradictions, *of_blocks)),
        missing_causes=_missing(ordered),
        notes=tuple(dict.fromkeys(note for fact in applied for note in fact.notes)),
        **_asked(ordered),
        **_answered(applied, state),
    )


def _walk(facts: Sequence[Fact]) -> tuple[RequestState, list[Fact], list[Contradiction]]:
    """Apply each fact to the state of the request."""
    state = RequestState.SUBMITTED
    applied, contradictions = list[Fact](), list[Contradiction]()
    for fact in facts:
        following = request_rule(fact.topic).apply(state)
        if following is None:
            contradictions.append((fact, state, f"{fact.topic} of a request that is {state.value} already"))
        elif following is not state or fact.topic not in _ENDINGS or fact.topic == _ENDS.get(state):
            state = following
            applied.append(fact)
    return state, applied, contradictions


def _blocks(
    facts: Sequence[Fact], refused: Sequence[Contradiction]
) -> tuple[tuple[BlockRecord, ...], list[Contradiction]]:
    """Fold each execution block; what is about none of the MOUS's contradicts its structure."""
    out = {id(fact) for fact, _, _ in refused}
    about = [fact for fact in facts if fact.topic in BLOCK_RULES and id(fact) not in out]
    structure = next((fact for fact in facts if fact.sessions is not None and id(fact) not in out), None)
    sessions = _sessions(structure)
    began = structure.said if structure is not None and structure.topic == "structure.resolved" else None
    strangers = [fact for fact in about if sessions and fact.eb_uid not in sessions]
    contradictions: list[Contradiction] = [
        (fact, "unknown", f"{fact.eb_uid} is no execution block of this MOUS") for fact in strangers
    ]
    uids = sessions or dict.fromkeys((fact.eb_uid for fact in about if fact.eb_uid), None)
    blocks = []
    for eb_uid, session in uids.items():
        theirs = [fact for fact in facts if fact.eb_uid == eb_uid and id(fact) not in out]
        block, illegal = fold_block(eb_uid, theirs, session=session, began=began)
        blocks.append(block)
        contradictions += illegal
    return tuple(blocks), contradictions


def _sessions(structure: Fact | None) -> dict[str, str | None]:
    sessions: tuple[Session, ...] = () if structure is None else structure.sessions or ()
    return {str(eb_uid): str(session.name) for session in sessions for eb_uid in session.execution_blocks}


def _asked(facts: Sequence[Fact]) -> dict[str, Any]:
    """Tell who asked for what, by the earliest event that says it."""
    submitted = next((fact for fact in facts if fact.topic == "request.submitted"), None)
    request = next((fact.request for fact in facts if fact.request is not None), None)
    first = submitted or (facts[0] if facts else None)
    known: dict[str, Any] = {
        "submitted": None if first is None else first.said,
        "ticket_request": None if submitted is None else submitted.cause,
    }
    return known if request is None else known | _of_request(request)


def _of_request(request: RestoreRequest) -> dict[str, Any]:
    return {
        "request": request,
        "project": str(request.project_code),
        "mous": str(request.mous_uid),
        "owner_account": request.user_account,
        "owner_email": request.user_email,
        "owner_name": request.user_name,
        "ticket": request.ticket,
        "selection": request.selection,
    }


_ENDS = {
    RequestState.REFUSED: "request.refused",
    RequestState.FAILED: "request.failed",
    RequestState.WITHHELD: "release.withheld",
    RequestState.CANCELLED: "request.cancelled",
    RequestState.DELIVERED: "delivery.announced",
    RequestState.REMOVED: "delivery.announced",
}
_ENDINGS = frozenset(_ENDS.values())
"""Topics that end a request; one that came too late to do so is neither applied nor illegal."""
_ANSWERS = ("request.accepted", "request.refused")


def _answered(applied: Sequence[Fact], state: RequestState) -> dict[str, Any]:
    """Tell how it was answered and how it ended, and why."""
    answer = next((fact for fact in applied if fact.topic in _ANSWERS), None)
    accepted = next((fact for fact in applied if fact.entitlement is not None), None)
    end = next((fact for fact in applied if fact.topic == _ENDS.get(state)), None)
    cancelled = next((fact for fact in applied if fact.topic == "request.cancelled"), None)
    known: dict[str, Any] = {
        "answered": None if answer is None else answer.said,
        "entitlement": None if accepted is None else accepted.entitlement,
        "ended": None if end is None else end.said,
        "cancelled_by": None if cancelled is None else cancelled.by,
    }
    return known | _why(end, applied)


def _why(end: Fact | None, applied: Sequence[Fact]) -> dict[str, Any]:
    if end is None or end.topic == "delivery.announced":
        return {}
    failed = next((fact.failure for fact in applied if fact.failure is not None), None)
    if end.topic == "request.failed" and failed is not None:
        return {"reason": failed.reason, "detail": failed.detail, "text": REASONS[failed.reason].user}
    text = None if end.reason is None else REASONS[end.reason].user
    return {"reason": end.reason, "detail": end.detail, "text": text}


def _mails(facts: Sequence[Fact]) -> Iterable[MailRecord]:
    for fact in facts:
        if fact.mail is not None and fact.mail_id is not None:
            yield MailRecord(
                kind=MailKind(fact.mail),
                mail_id=fact.mail_id,
                sent=fact.said,
                recipients=fact.recipients,
                refused=fact.refused_recipients,
            )


def _illegal(request_id: UUID, contradiction: Contradiction) -> IllegalMove:
    fact, state, why = contradiction
    return IllegalMove(
        request_id=request_id,
        event_id=fact.id,
        topic=fact.topic,
        eb_uid=fact.eb_uid,
        said=fact.said,
        state=str(state),
        why=why,
    )


def _missing(facts: Sequence[Fact]) -> tuple[UUID, ...]:
    """List the causes that are not known; the ticket that a request was made of is known elsewhere."""
    known = {fact.id for fact in facts}
    causes = {fact.cause for fact in facts if fact.cause is not None and fact.topic != "request.submitted"}
    return tuple(sorted(causes - known))


def _latest(of_request: datetime | None, blocks: Sequence[BlockRecord]) -> datetime | None:
    return max((each for each in (of_request, *(block.moved for block in blocks)) if each is not None), default=None)
