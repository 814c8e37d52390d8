"""A trigger file is submitted once, stays until its request's mail is out, and is then removed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from contracts.messages import RequestCancelled, RequestSubmitted
from contracts.messages.parts import MailKind
from services.request_desk.intake.directory import NotAllowedError, TriggerDirectory
from services.request_desk.intake.metrics import TriggerMetrics
from services.request_desk.intake.trigger_file import read_trigger
from services.request_desk.intake.triggers import Triggers
from shared import keys
from shared.cancellation import cancel
from shared.ends import RequestEnd, mark_end
from shared.errors import DependencyAwayError
from shared.objects import ObjectStore
from tests.unit.services.request_desk.intake.trigger_samples import CALIBRATORS, WHOLE


class Desk:
    """A directory of trigger files, a clock, and what was said."""

    def __init__(self, root: Path, objects: ObjectStore) -> None:
        root.mkdir(exist_ok=True)
        self.root = root
        self.objects = objects
        self.now = 1000.0
        self.said: list[Event] = []
        self.triggers = self.restarted()

    def restarted(self) -> Triggers:
        """Make what another process would be."""
        self.registry = CollectorRegistry()
        return Triggers(
            directory=TriggerDirectory(self.root),
            objects=self.objects,
            source="/alma-restore/request-desk",
            settle=1.0,
            patience=60.0,
            metrics=TriggerMetrics(self.registry),
            now=lambda: self.now,
        )

    def put(self, golden: Path, data: bytes | None = None) -> Path:
        path = self.root / golden.name
        path.write_bytes(golden.read_bytes() if data is None else data)
        return path

    def look(self, seconds: float = 0.0, *, closed: Sequence[str] = ()) -> bool:
        self.now += seconds
        return self.triggers.look_through(self.said.extend, closed=frozenset(closed))

    def submit(self, golden: Path) -> UUID:
        """Put a file there and wait until it is submitted."""
        self.put(golden)
        self.look()
        self.look(1.0)
        return self.said[-1].correlationid

    def end(self, request_id: UUID) -> None:
        told = RequestEnd(kind=MailKind.REFUSED, mail_id=UUID(int=1), ended=datetime(2026, 1, 2, tzinfo=UTC))
        mark_end(self.objects, request_id, told)

    def counted(self, outcome: str) -> float | None:
        return self.registry.get_sample_value("alma_restore_triggers_total", {"outcome": outcome})

    def stuck(self, cause: str) -> float | None:
        return self.registry.get_sample_value("alma_restore_triggers_stuck", {"cause": cause})

    def lying(self) -> set[str]:
        return {path.name for path in self.root.iterdir() if path.is_file()}


@pytest.fixture
def desk(tmp_path: Path, objects: ObjectStore) -> Desk:
    return Desk(tmp_path / "triggers", objects)


@pytest.mark.parametrize("golden", [WHOLE, CALIBRATORS], ids=["whole", "calfield"])
def test_a_file_becomes_the_request_that_it_says(desk: Desk, golden: Path) -> None:
    desk.submit(golden)
    (event,) = desk.said
    assert event.data == RequestSubmitted(request=read_trigger(golden.name, golden.read_bytes()))
    assert desk.lying() == {golden.name}


def test_a_file_is_taken_when_it_has_not_changed_for_a_while(desk: Desk) -> None:
    desk.put(WHOLE)
    assert desk.look()
    assert desk.look(0.9)
    assert desk.said == []
    assert not desk.look(0.1)
    assert len(desk.said) == 1


def test_a_file_that_changes_is_not_taken(desk: Desk) -> None:
    for number in range(5):
        desk.put(WHOLE, WHOLE.read_bytes() + b"\n" * number)
        assert desk.look(0.9)
    assert desk.said == []


def test_a_file_that_was_closed_is_taken_at_once(desk: Desk) -> None:
    desk.put(WHOLE)
    assert not desk.look(closed=[WHOLE.name])
    assert len(desk.said) == 1


def test_a_writer_that_closes_after_every_line_is_waited_for(desk: Desk) -> None:
    lines = WHOLE.read_bytes().splitlines(keepends=True)
    for number in range(1, len(lines)):
        desk.put(WHOLE, b"".join(lines[:number]))
        assert desk.look(5.0, closed=[WHOLE.name])
    assert desk.said == []
    desk.put(WHOLE)
    desk.look(5.0, closed=[WHOLE.name])
    assert len(desk.said) == 1


def test_a_file_without_its_end_is_rejected_after_some_patience(desk: Desk) -> None:
    desk.put(WHOLE, WHOLE.read_bytes()[:200])
    desk.look()
    assert desk.look(59.0)
    assert desk.lying() == {WHOLE.name}
    assert not desk.look(1.0)
    assert desk.lying() == set()
    reason = (desk.root / "rejected" / f"{WHOLE.name}.reason.txt").read_text()
    assert "there is no line 'helpdesk ticket …'" in reason


def test_a_whole_file_without_its_last_line_end_is_taken_after_some_patience(desk: Desk) -> None:
    desk.put(WHOLE, WHOLE.read_bytes().rstrip())
    desk.look()
    desk.look(59.0)
    assert desk.said == []
    desk.look(1.0)
    assert len(desk.said) == 1


def test_a_file_is_submitted_once_however_often_it_is_looked_at_and_by_whom(desk: Desk) -> None:
    desk.submit(WHOLE)
    for _ in range(3):
        desk.look(10.0)
        desk.triggers = desk.restarted()
    assert len(desk.said) == 1


def test_who_is_killed_between_saying_and_recording_is_followed_by_one_who_says_the_same(desk: Desk) -> None:
    request_id = desk.submit(WHOLE)
    desk.objects.delete(keys.trigger(request_id))
    desk.triggers = desk.restarted()
    desk.look()
    desk.look(1.0)
    first, second = desk.said
    assert (first.id, first.data) == (second.id, second.data)


def test_a_file_stays_until_its_requests_mail_is_out(desk: Desk) -> None:
    request_id = desk.submit(WHOLE)
    desk.look(3600.0)
    assert desk.lying() == {WHOLE.name}
    desk.end(request_id)
    desk.look()
    assert desk.lying() == set()


def test_a_file_whose_requests_end_nobody_heard_of_is_removed_by_the_next_process(desk: Desk) -> None:
    desk.end(desk.submit(WHOLE))
    desk.triggers = desk.restarted()
    desk.look()
    desk.look(1.0)
    assert desk.lying() == set()
    assert len(desk.said) == 1


def test_a_cancelled_requests_file_is_removed(desk: Desk) -> None:
    request_id = desk.submit(WHOLE)
    event = desk.said[0].data
    assert isinstance(event, RequestSubmitted)
    cancel(desk.objects, RequestCancelled(request_id=request_id, mous_uid=event.request.mous_uid, by="vrubin"))
    desk.look()
    assert desk.lying() == set()


def test_a_file_that_was_edited_since_is_another_request_and_is_not_removed_with_the_first(desk: Desk) -> None:
    first = desk.submit(WHOLE)
    desk.put(WHOLE, WHOLE.read_bytes().replace(b"16140", b"16141"))
    desk.end(first)
    desk.look()
    desk.look(1.0)
    assert desk.lying() == {WHOLE.name}
    assert desk.said[-1].correlationid != first


def test_bad_files_go_aside_and_keep_no_other_back(desk: Desk) -> None:
    desk.put(WHOLE)
    (desk.root / "a note.txt").write_text("helpdesk ticket 1\n")
    desk.put(CALIBRATORS, CALIBRATORS.read_bytes().replace(b"project", b"projekt"))
    desk.look()
    desk.look(1.0)
    assert desk.lying() == {WHOLE.name}
    assert len(desk.said) == 1
    rejected = {path.name for path in (desk.root / "rejected").iterdir()}
    assert rejected == {name for file in ("a note.txt", CALIBRATORS.name) for name in (file, f"{file}.reason.txt")}
    assert desk.objects.info(keys.trigger(desk.said[0].correlationid)) is not None
    assert (desk.counted("submitted"), desk.counted("rejected")) == (1, 2)


def test_a_file_that_may_not_be_read_goes_aside(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: TriggerDirectory, _name: str, _most: int) -> bytes:
        raise NotAllowedError("permission denied")

    desk.put(WHOLE)
    desk.look()
    monkeypatch.setattr(TriggerDirectory, "read", refuse)
    desk.look(1.0)
    assert (desk.root / "rejected" / WHOLE.name).read_bytes() == WHOLE.read_bytes()


def test_a_file_that_cannot_be_moved_keeps_no_other_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path.name == "a note.txt":
            raise PermissionError("Operation not permitted")
        return rename(path, target)

    (desk.root / "a note.txt").write_text("helpdesk ticket 1\n")
    desk.put(WHOLE)
    desk.look()
    monkeypatch.setattr(Path, "rename", refuse)
    desk.look(1.0)
    assert len(desk.said) == 1
    assert desk.lying() == {"a note.txt", WHOLE.name}
    desk.look(1.0)
    assert (desk.stuck("not_allowed"), desk.stuck("fault"), desk.counted("rejected")) == (1, 0, 0)
    monkeypatch.setattr(Path, "rename", rename)
    desk.look(1.0)
    assert (desk.stuck("not_allowed"), desk.counted("rejected")) == (0, 1)


def test_a_file_that_brings_out_a_fault_of_ours_is_counted_and_keeps_no_other_back(desk: Desk) -> None:
    def publish(events: Sequence[Event]) -> None:
        if isinstance(events[0].data, RequestSubmitted) and events[0].data.request.selection.calibrators_only:
            raise ZeroDivisionError
        desk.said.extend(events)

    desk.put(CALIBRATORS)
    desk.put(WHOLE)
    desk.look()
    desk.now += 1.0
    desk.triggers.look_through(publish)
    assert len(desk.said) == 1
    assert (desk.stuck("fault"), desk.stuck("not_allowed"), desk.counted("submitted")) == (1, 0, 1)


@pytest.mark.parametrize(
    ("line", "more", "told"),
    [
        (b"calfield", ",".join(f"J{number:04}+0000" for number in range(101)), "at most 100"),
        (b"CC email", ",".join(f"a{number}@example.org" for number in range(21)), "at most 20"),
    ],
)
def test_a_file_of_more_than_a_request_may_have_goes_aside_and_keeps_no_other_back(
    desk: Desk, line: bytes, more: str, told: str
) -> None:
    lines = CALIBRATORS.read_bytes().splitlines(keepends=True)
    changed = [line + b" " + more.encode() + b"\n" if each.startswith(line) else each for each in lines]
    desk.put(CALIBRATORS, b"".join(changed))
    desk.put(WHOLE)
    desk.look()
    desk.look(1.0)
    assert desk.lying() == {WHOLE.name}
    reason = f"the line '{line.decode()} …': Tuple should have {told}"
    assert reason in (desk.root / "rejected" / f"{CALIBRATORS.name}.reason.txt").read_text()


def test_while_the_bus_is_away_the_file_waits(desk: Desk) -> None:
    def away(_: Sequence[Event]) -> None:
        raise DependencyAwayError("away")

    desk.put(WHOLE)
    desk.look()
    desk.now += 1.0
    with pytest.raises(DependencyAwayError):
        desk.triggers.look_through(away)
    assert desk.lying() == {WHOLE.name}
    desk.look()
    assert len(desk.said) == 1
