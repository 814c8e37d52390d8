"""Read the dead letters, whatever is in them, and keep what is dropped of them where it outlives whoever drops it."""

import json
from datetime import UTC, datetime

import structlog

from contracts.envelope import Event, UndecodableEventError
from shared import keys
from shared.bus import DeadEvent
from shared.objects import ObjectStore

log = structlog.get_logger()


def event_in(letter: DeadEvent) -> Event | None:
    """Give the event that was given up; ``None`` if it cannot be read, which may be why."""
    try:
        return Event.decode(letter.body)
    except (UndecodableEventError, RecursionError, TypeError):
        return None


def body_text(letter: DeadEvent) -> str:
    """Write out the message for a person: indented if it is JSON, else its bytes as they are."""
    try:
        return json.dumps(json.loads(letter.body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return repr(letter.body)


def record_drop(letter: DeadEvent, *, note: str, by: str, objects: ObjectStore | None) -> None:
    """Write note, reason and message to the log, and to the object store if there is one; drop it afterwards.

    Raises
    ------
    DependencyAwayError
        If the store does not take it.
    """
    told = {
        "queue": letter.queue,
        "key": letter.key,
        "code": letter.code,
        "reason": letter.reason,
        "note": note,
        "by": by,
        "body": letter.body.decode(errors="replace"),
    }
    log.warning("dead_letter_dropped", **told)
    if objects is not None:
        record = {**told, "dropped": datetime.now(UTC).isoformat()}
        objects.put_bytes(keys.dropped(letter.key), json.dumps(record, indent=1, ensure_ascii=False).encode())
