"""A processing request is taken only if it asks one thing that a runner does, of the block that was ordered."""

import pytest

from contracts.identifiers import ExecBlockUid
from contracts.reasons import ReasonCode
from services.casa_runner.requested import Asked, read_asked
from shared.pipeline_files.ppr import Kind, PprError
from tests.support.casa_orders import in_session, ppr_of
from tests.support.samples import STRUCTURE

EB = ExecBlockUid("uid://A002/Xc7111c/X3979")
OTHER = ExecBlockUid("uid://A002/Xc7111c/X409e")
THIRD = in_session(STRUCTURE, 3, EB, OTHER)


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        (Kind.RESTORE, Asked.INTERFEROMETRY),
        (Kind.SD_RESTORE, Asked.SINGLE_DISH),
        (Kind.IMPORT, Asked.IMPORT),
    ],
)
def test_the_one_task_says_what_is_asked(kind: Kind, asked: Asked) -> None:
    assert read_asked(ppr_of(THIRD, EB, kind=kind), eb_uid=EB, session="session_3") is asked


@pytest.mark.parametrize(
    ("ppr", "told"),
    [
        (ppr_of(THIRD, EB, kind=Kind.DELIVER), "hif_mstransform, hifa_exportdata"),
        (ppr_of(THIRD, EB).replace(b"hifa_restoredata", b"hifa_imageprecheck"), "hifa_imageprecheck has no copytoraw"),
        (ppr_of(THIRD, OTHER), f"names {OTHER}"),
        (ppr_of(THIRD, EB, OTHER), f"names {EB}, {OTHER}"),
        (ppr_of(in_session(STRUCTURE, 2, EB), EB), "puts .* into session_2"),
        (b"SESSION_1=uid", "not well-formed"),
    ],
)
def test_anything_else_is_refused_with_what_was_found(ppr: bytes, told: str) -> None:
    with pytest.raises(PprError, match=told) as raised:
        read_asked(ppr, eb_uid=EB, session="session_3")
    assert raised.value.reason is ReasonCode.PPR_INVALID
