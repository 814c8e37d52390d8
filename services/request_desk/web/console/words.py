"""Words for people: sizes, times, states and steps as the pages show them."""

import json
import re
from datetime import UTC, datetime

from markupsafe import Markup, escape

from services.request_desk.ledger.states import BlockState, RequestState, Step
from services.request_desk.web.steps import Standing
from shared.sizes import size_text

STATES = {
    RequestState.SUBMITTED: "being checked",
    RequestState.ACCEPTED: "accepted",
    RequestState.RESOLVED: "in work",
    RequestState.READY: "restored",
    RequestState.RELEASED: "released",
    RequestState.DELIVERED: "delivered",
    RequestState.REMOVED: "expired and removed",
    RequestState.REFUSED: "refused",
    RequestState.FAILED: "failed",
    RequestState.WITHHELD: "withheld",
    RequestState.CANCELLED: "cancelled",
}
BLOCKS = {
    BlockState.EXPECTED: "waits to be fetched",
    BlockState.FETCHING: "raw data is fetched",
    BlockState.STAGED: "processing request is made",
    BlockState.ORDERED: "waits for a free CASA",
    BlockState.RESTORING: "CASA restores",
    BlockState.RESTORED: "restored",
    BlockState.FAILED: "failed",
}
STEPS = {
    Step.ENTITLEMENT: "Entitlement",
    Step.STRUCTURE: "Structure",
    Step.FETCH: "Fetch",
    Step.PREPARE: "Prepare",
    Step.QUEUE: "Queue",
    Step.RESTORE: "Restore",
    Step.CONCLUDE: "Conclude",
    Step.RELEASE: "Release",
    Step.DELIVERY: "Delivery",
    Step.MAIL: "Mail",
}
STANDINGS = {
    Standing.DONE: "done",
    Standing.NOW: "goes on",
    Standing.AHEAD: "to come",
    Standing.ENDED: "ended here",
    Standing.LEFT_OUT: "left out",
}
_WELL = frozenset({RequestState.DELIVERED})
_BADLY = frozenset({RequestState.REFUSED, RequestState.FAILED, RequestState.WITHHELD})


def size(count: float | None) -> str:
    """Say how much bytes are, if it is known; a line never ends between the number and its unit."""
    return "–" if count is None else size_text(count).replace(" ", "\N{NO-BREAK SPACE}")


def duration(seconds: float | None) -> str:
    """Say how long seconds are, in the two largest units that count."""
    if seconds is None:
        return "–"
    left = max(0, round(seconds))
    parts: list[str] = []
    for name, span in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, span)
        if count or (name == "s" and not parts):
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def moment(time: datetime | None) -> Markup:
    """Show a time in UTC, in a form that programs read too."""
    if time is None:
        return Markup("–")
    exact = time.astimezone(UTC)
    shown = exact.strftime("%Y-%m-%d %H:%M")
    return Markup('<time datetime="{}">{} UTC</time>').format(exact.isoformat(timespec="seconds"), escape(shown))


def pretty(document: str) -> str:
    """Lay a JSON document out for reading."""
    return json.dumps(json.loads(document), indent=2, ensure_ascii=False)


def sentence(remark: str) -> str:
    """Say a remark, which programs are told as it is, as a sentence; a name that it begins with stays as it is."""
    text = remark[:1].upper() + remark[1:] if re.match(r"[a-z]+[ ,;]", remark) else remark
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


def tone(state: RequestState | BlockState) -> str:
    """Say how a state looks: ``good``, ``bad``, ``over`` or ``going``; never the only sign of it."""
    if state in _WELL or state is BlockState.RESTORED:
        return "good"
    if state in _BADLY or state is BlockState.FAILED:
        return "bad"
    return "over" if state.is_over else "going"


def state_words(state: RequestState | BlockState) -> str:
    """Say a state in words."""
    return STATES[state] if isinstance(state, RequestState) else BLOCKS[state]
