"""What the desk tells, as a terminal shows it."""

from datetime import UTC, datetime
from io import StringIO
from uuid import uuid4

import pytest
from rich.console import Console

from alma_restore.desk_models import Block, Request
from alma_restore.desk_view import requests_list, requests_table
from contracts.reasons import ReasonCode
from tests.support.samples import EB, MOUS


@pytest.mark.parametrize("reason", ReasonCode)
def test_reason_codes_and_uids_are_whole_on_a_terminal_of_80_columns(reason: ReasonCode) -> None:
    block = Block(eb_uid=EB, state="restoring", activity="applycal", percent=40, bytes_written=1_434_000_000)
    under_way = Request(
        id=uuid4(), change=1, mous=MOUS, ticket="16140", state="resolved", is_over=False, blocks=(block,)
    )
    text = "Something of many words is wrong with what was asked for"
    refused = under_way.model_copy(update={"state": "refused", "is_over": True, "reason": reason, "text": text})
    console = Console(width=80, record=True, file=StringIO())
    console.print(requests_table([under_way, refused]))
    shown = console.export_text()
    assert shown.count(f"{MOUS}  16140") == 2
    assert all(word in shown for word in (f"({reason})", EB, "restoring applycal", "1.4 GB"))


@pytest.mark.parametrize("reason", ReasonCode)
def test_a_list_holds_each_id_ticket_and_reason_whole_on_a_terminal_of_80_columns(reason: ReasonCode) -> None:
    asked = Request(
        id=uuid4(),
        change=1,
        mous=MOUS,
        ticket="desk-21ea8c82",
        state="refused",
        is_over=True,
        reason=reason,
        submitted=datetime(2026, 11, 29, 21, 0, tzinfo=UTC),
    )
    console = Console(width=80, record=True, file=StringIO())
    console.print(requests_list([asked]))
    shown = console.export_text()
    assert all(word in shown for word in (str(asked.id), MOUS, "desk-21ea8c82", f"({reason})", "2026-11-29", "21:00"))
    assert "…" not in shown
