"""Number the sessions of a MOUS and place its execution blocks in them.

Sessions are numbered in stored order, empty ones included: the pipeline's names
(``session_2``) count them, and a dropped one would shift all that follow.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from itertools import groupby

from contracts.identifiers import ExecBlockUid, SessionName
from contracts.messages.parts import Session
from services.metadata_resolver.facts import ExecutionBlock

_UNKNOWN = datetime.max.replace(tzinfo=UTC)


StoredSessions = Sequence[tuple[ExecBlockUid, ...]]
"""Execution blocks of each session in stored order, whatever became of them; a session may have none."""


def number_sessions(stored: StoredSessions, passed: Collection[ExecBlockUid]) -> tuple[Session, ...]:
    """Number all sessions from 1 and list in each those blocks that passed QA0."""
    return tuple(
        Session(
            name=SessionName.numbered(number),
            execution_blocks=tuple(block for block in dict.fromkeys(blocks) if block in passed),
        )
        for number, blocks in enumerate(stored, start=1)
    )


def disagreement(sessions: Sequence[Session], passed: Sequence[ExecBlockUid]) -> str | None:
    """Say how sessions and passed blocks disagree, showing both lists, or None if they agree.

    Every block that passed must be in exactly one session: the pipeline would
    calibrate a block that is in none with the tables of session 1.
    """
    listed = Counter(block for session in sessions for block in session.execution_blocks)
    missing = [block for block in passed if not listed[block]]
    repeated = [block for block, times in listed.items() if times > 1]
    if not missing and not repeated:
        return None
    faults = [f"in no session: {' '.join(missing)}"] if missing else []
    faults += [f"in several sessions: {' '.join(repeated)}"] if repeated else []
    shown = "; ".join(f"{session.name} = {' '.join(session.execution_blocks) or 'empty'}" for session in sessions)
    return f"{'; '.join(faults)}. Sessions: {shown or 'none'}. QA0 Pass: {' '.join(passed)}"


def sessions_from_tables(blocks: Sequence[ExecutionBlock]) -> StoredSessions:
    """Rebuild the stored sessions from the blocks' session ids, oldest session first.

    A substitute where there is no status document: sessions without any block
    cannot be seen. Sessions are ordered by their end; one whose end is not
    known (still open, or never closed) by its first block's start, which is
    before every later session's end.
    """
    known = [block for block in blocks if block.session_id is not None]
    by_session = groupby(sorted(known, key=lambda block: str(block.session_id)), key=lambda block: block.session_id)
    sessions = [list(members) for _, members in by_session]
    return [tuple(block.uid for block in _by_start(members)) for members in sorted(sessions, key=_when)]


def _when(session: Sequence[ExecutionBlock]) -> tuple[datetime, str]:
    end = next((block.session_end_time for block in session if block.session_end_time is not None), None)
    first = _by_start(session)[0]
    return end or first.start_time or _UNKNOWN, str(first.session_id)


def _by_start(blocks: Sequence[ExecutionBlock]) -> list[ExecutionBlock]:
    return sorted(blocks, key=lambda block: (block.start_time or _UNKNOWN, block.uid))
