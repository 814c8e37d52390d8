"""The demo's MOUS: four execution blocks in two sessions, and an empty session in between."""

from collections.abc import Mapping

from contracts.identifiers import ExecBlockUid, SessionName
from contracts.messages.parts import Session
from tests.support.samples import STRUCTURE

FIRST = ExecBlockUid("uid://A002/Xc7111c/X3979")
SECOND = ExecBlockUid("uid://A002/Xc7111c/X409e")
THIRD = ExecBlockUid("uid://A002/Xc7111c/X86a7")
FOURTH = ExecBlockUid("uid://A002/Xc72427/X2dfe")
SESSIONS: Mapping[int, tuple[ExecBlockUid, ...]] = {1: (FIRST, SECOND), 3: (THIRD, FOURTH)}
ALL = (FIRST, SECOND, THIRD, FOURTH)
DEMO = STRUCTURE.model_copy(
    update={
        "sessions": tuple(
            Session(name=SessionName.numbered(number), execution_blocks=SESSIONS.get(number, ()))
            for number in (1, 2, 3)
        )
    }
)
