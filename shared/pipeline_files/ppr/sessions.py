"""Intents, and the sessions among them: which execution block was calibrated with which."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.identifiers import ExecBlockUid, InvalidIdentifierError
from shared.pipeline_files.ppr.rules import PprError, Value, check_text, check_value, repeated

SEPARATOR = " | "
_SESSION = re.compile(r"SESSION_([1-9][0-9]*)", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Intent:
    """A keyword and its value, e.g. ``PROCESS`` and True, or ``SESSION_1`` and the UIDs in it."""

    keyword: str
    value: Value

    def __post_init__(self) -> None:
        check_text(self.keyword, where="an intent's Keyword")
        if self.keyword.startswith("__"):
            raise PprError("intent_keyword", f"{self.keyword!r} is something of Python's: the pipeline would crash")
        check_value(self.value, where=f"the Value of intent {self.keyword}")

    @property
    def session_number(self) -> int | None:
        """The number of the session that this intent describes, counted from 1; None if it is another intent."""
        found = _SESSION.fullmatch(self.keyword)
        return None if found is None else int(found[1])


def session_intents(sessions: Sequence[Iterable[ExecBlockUid]]) -> tuple[Intent, ...]:
    """Say which execution blocks are in session 1, 2 …; empty sessions keep the numbers of those after them."""
    return tuple(
        Intent(keyword=f"SESSION_{number}", value=SEPARATOR.join(blocks))
        for number, blocks in enumerate(sessions, start=1)
    )


def read_sessions(intents: Sequence[Intent]) -> tuple[tuple[ExecBlockUid, ...], ...]:
    """Return the execution blocks of session 1, 2 … as the pipeline finds them.

    Raises
    ------
    PprError
        With rule ``session_key``, ``session_gap``, ``session_separator`` or
        ``session_repeats_block``: the pipeline would put blocks into ``session_1``.
    """
    numbered = {number: intent for intent in intents if (number := intent.session_number) is not None}
    for intent in intents:
        if intent.session_number is None and intent.keyword.lower().startswith("session"):
            raise PprError("session_key", f"{intent.keyword!r} is not seen as a session: write SESSION_1 and up")
    missing = sorted(set(range(1, len(numbered) + 1)) - set(numbered))
    if missing:
        raise PprError(
            "session_gap", f"SESSION_{missing[0]} is missing: the pipeline stops there and loses all sessions after it"
        )
    sessions = tuple(_blocks(numbered[number]) for number in sorted(numbered))
    twice = repeated(block for session in sessions for block in session)
    if twice:
        raise PprError("session_repeats_block", f"in more than one place of the sessions: {', '.join(twice)}")
    return sessions


def _blocks(intent: Intent) -> tuple[ExecBlockUid, ...]:
    if not isinstance(intent.value, str):
        raise PprError("session_separator", f"{intent.keyword} is {intent.value!r}, not UIDs")
    return tuple(_block(intent.keyword, text) for text in intent.value.split(SEPARATOR)) if intent.value else ()


def _block(keyword: str, text: str) -> ExecBlockUid:
    try:
        eb_uid = ExecBlockUid(text)
    except InvalidIdentifierError as error:
        raise PprError(
            "session_separator", f"{keyword}: {text!r} is no UID; UIDs are separated by exactly {SEPARATOR!r}"
        ) from error
    if eb_uid != text:
        raise PprError("session_separator", f"{keyword}: {text!r} has to be written {str(eb_uid)!r} to match its ASDM")
    return eb_uid
