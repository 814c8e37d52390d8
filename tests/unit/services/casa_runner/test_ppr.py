"""A processing request is taken only if it asks for what CASA tasks can do, for the block that was ordered."""

import pytest

from contracts.identifiers import ExecBlockUid
from contracts.reasons import ReasonCode
from services.casa_runner.ppr import UnusablePprError, check_ppr, read_ppr
from tests.support.casa_orders import ppr_text

EB = ExecBlockUid("uid://A002/Xc7111c/X3979")
OTHER = ExecBlockUid("uid://A002/Xc7111c/X409e")


def test_a_restore_of_the_block_in_its_session_passes() -> None:
    check_ppr(read_ppr(ppr_text(EB, "session_3")), eb_uid=EB, session="session_3")


@pytest.mark.parametrize(
    ("ppr", "told"),
    [
        (ppr_text(EB, command="hsd_restoredata"), "hsd_restoredata"),
        (ppr_text(EB, command="hifa_imageprecheck"), "hifa_imageprecheck"),
        (
            ppr_text(EB).replace(b"<ProcessingCommand>", b"<Other>").replace(b"</ProcessingCommand>", b"</Other>"),
            "none",
        ),
        (ppr_text(OTHER), OTHER.file_form),
        (ppr_text(EB, "session_2"), "SESSION_1"),
        (ppr_text(EB).replace(EB.encode(), OTHER.encode()), "SESSION_1"),
    ],
)
def test_anything_else_is_refused_with_what_was_found(ppr: bytes, told: str) -> None:
    with pytest.raises(UnusablePprError, match=told) as raised:
        check_ppr(read_ppr(ppr), eb_uid=EB, session="session_1")
    assert raised.value.reason is ReasonCode.PPR_INVALID


def test_what_is_no_xml_is_refused() -> None:
    with pytest.raises(UnusablePprError, match="cannot be read"):
        read_ppr(b"SESSION_1=uid")
