"""A watcher's view of a request: a fold over its events that bears repeats and lateness."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from alma_restore.progress import BlockState, RequestProgress, RequestState
from alma_restore.view import drawn_live, event_line, requests_table
from contracts.envelope import Event
from contracts.messages import RestoreProgressed
from contracts.reasons import ReasonCode
from tests.support.samples import EB, SAMPLES

BY_TOPIC = {sample.topic: Event.first(sample, source="/alma-restore/test") for sample in SAMPLES}
SUCCESS = (
    "request.submitted",
    "request.accepted",
    "structure.resolved",
    "fetch.progressed",
    "artefacts.staged",
    "restore.ordered",
    "restore.started",
    "restore.progressed",
    "restore.completed",
    "products.ready",
    "release.granted",
    "delivery.announced",
)


def fold(*topics: str) -> RequestProgress:
    progress = RequestProgress()
    for topic in topics:
        progress.apply(BY_TOPIC[topic])
    return progress


def test_a_request_is_followed_to_its_delivery() -> None:
    progress = fold(*SUCCESS)
    assert progress.state is RequestState.DELIVERED
    assert progress.blocks[EB].state is BlockState.RESTORED
    assert progress.delivery is not None


def test_each_bad_end_is_told_with_its_reason() -> None:
    assert fold("request.submitted", "request.refused").state is RequestState.REFUSED
    assert fold("request.submitted", "release.withheld").state is RequestState.WITHHELD
    failed = fold("structure.resolved", "restore.failed", "request.failed")
    assert (failed.state, failed.blocks[EB].state) == (RequestState.FAILED, BlockState.FAILED)
    assert failed.reason is not None


@given(st.lists(st.sampled_from(SUCCESS), max_size=20))
def test_what_comes_late_or_twice_does_not_turn_a_request_back(late: list[str]) -> None:
    progress = fold(*SUCCESS, *late)
    assert progress.state is RequestState.DELIVERED
    assert progress.blocks[EB].state is BlockState.RESTORED


def test_waiting_is_shown_until_the_next_word() -> None:
    progress = fold("request.submitted", "request.waiting")
    assert "ngas-fetcher" in progress.waiting
    progress.apply(BY_TOPIC["structure.resolved"])
    assert progress.waiting == ""


def test_what_is_special_of_the_calibration_and_of_the_casa_that_restores_is_shown_once() -> None:
    progress = fold("structure.resolved", "restore.ordered", "restore.started", "structure.resolved", "restore.ordered")
    console = Console(width=400, record=True, file=StringIO())
    console.print(requests_table([("a request", progress)]))
    assert (
        "0 of 1 execution block; 2 calibrations are in the archive: the newest one is used; "
        "Old project, using RHEL5 build of CASA."
    ) in console.export_text()


@pytest.mark.parametrize("reason", ReasonCode)
def test_reason_codes_and_uids_are_whole_on_a_terminal_of_80_columns(reason: ReasonCode) -> None:
    refused, under_way = RequestProgress(), fold("structure.resolved", "restore.started")
    told = BY_TOPIC["request.refused"]
    refused.apply(told.derive(told.data.model_copy(update={"reason": reason}), source="/alma-restore/test"))
    console = Console(width=80, record=True, file=StringIO())
    console.print(requests_table([("a title of many words that is long", refused), ("another", under_way)]))
    text = console.export_text()
    assert f"({reason})" in text
    assert EB in text


def test_what_a_request_met_is_cut_while_others_are_under_way_and_whole_once_all_have_ended() -> None:
    refused, other = fold("request.refused"), fold("structure.resolved")
    detail = refused.detail
    assert len(detail) > 20

    def shown(width: int) -> str:
        console = Console(width=width, record=True, file=StringIO())
        console.print(requests_table([("not entitled", refused), ("another", other)]))
        return console.export_text()

    assert "…" in shown(80)
    other.apply(BY_TOPIC["request.refused"])
    assert "…" not in shown(80)
    assert detail.split()[-1] in shown(80)


def test_what_is_drawn_live_keeps_to_the_screen_and_is_whole_at_the_end() -> None:
    rows = [(f"request {number}", fold("request.refused")) for number in range(30)]
    out = StringIO()
    console = Console(width=80, height=10, file=out, force_terminal=True, color_system=None)
    with drawn_live(console) as live:
        for _ in range(5):
            live.update(requests_table(rows), refresh=True)
        console.file.flush()
        assert out.getvalue().count("request 0") == 5
        assert "request 29" not in out.getvalue()
    assert out.getvalue().count("request 29") == 1


def test_progress_of_a_later_step_replaces_that_of_an_earlier() -> None:
    progress = fold("structure.resolved", "restore.progressed")
    later = BY_TOPIC["restore.progressed"]
    message = RestoreProgressed.model_validate(later.data.model_dump() | {"step": "split", "percent": 90})
    progress.apply(later.derive(message, source="/alma-restore/test"))
    assert (progress.blocks[EB].step, progress.blocks[EB].percent) == ("split", 90)


@pytest.mark.parametrize(("ahead", "shown"), [(timedelta(0), "%H:%M"), (timedelta(days=400), "%b %H:%M")])
def test_the_expected_end_is_shown_until_the_block_has_ended(ahead: timedelta, shown: str) -> None:
    end = datetime.now(UTC) + ahead
    told = BY_TOPIC["restore.progressed"]
    message = RestoreProgressed.model_validate(told.data.model_dump() | {"expected_end": end})
    progress = fold("structure.resolved", "restore.started")
    progress.apply(told.derive(message, source="/alma-restore/test"))
    console = Console(width=120, record=True, file=StringIO())
    console.print(requests_table([("title", progress)]))
    console.print(event_line(told.derive(message, source="/alma-restore/test")), soft_wrap=True)
    text = console.export_text()
    assert "restoring: applycal " in text
    assert "1.4 GB, until" in text
    assert text.count(f"{end.astimezone():{shown}}") >= 2
    progress.apply(BY_TOPIC["restore.completed"])
    assert progress.blocks[EB].expected_end is None


def test_every_event_and_every_state_can_be_drawn() -> None:
    console = Console(width=120, record=True, file=StringIO())
    for count in range(len(SUCCESS) + 1):
        console.print(requests_table([("title of the request", fold(*SUCCESS[:count]))]))
    for event in BY_TOPIC.values():
        console.print(event_line(event), soft_wrap=True)
    text = console.export_text()
    assert "title of the request" in text
    assert "restoring: applycal" in text
    assert "checksum_mismatch" in text
