"""Progress is said at a bearable rate, and its last word always."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from contracts.envelope import Event
from contracts.messages import FetchProgressed, StructureResolved
from services.ngas_fetcher.checksums import Checksum, ChecksumKind
from services.ngas_fetcher.holding import FilesHolding
from services.ngas_fetcher.location import ArchiveFile, AsdmLocation
from services.ngas_fetcher.progress import Progress, ProgressTeller, Rate, expected_end
from shared.errors import DependencyAwayError
from tests.support.delivery import RecordingDelivery
from tests.unit.services.ngas_fetcher.samples import EBS, REQUEST, STRUCTURE

FILE = ArchiveFile(
    path="Main.xml",
    file_id="x",
    version=1,
    size=100,
    checksum=Checksum(ChecksumKind.CRC32, 1),
    servers=("ngas:7777",),
)
HOLDING = FilesHolding(location=AsdmLocation(eb_uid=EBS[0], files=(FILE,)))
EVENT = Event.first(StructureResolved(request=REQUEST, structure=STRUCTURE), source="/test")


class Clock:
    """Time that goes on only when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def wait(self, seconds: float) -> None:
        self.now += seconds


class TimedDelivery(RecordingDelivery):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.times: list[float] = []

    def publish(self, events: object) -> None:
        super().publish(events)  # type: ignore[arg-type]  # as it came
        self.times.append(self.clock.now)


def teller_for(delivery: RecordingDelivery, clock: Clock, *, interval: float = 0.5) -> ProgressTeller:
    return ProgressTeller(
        event=EVENT, delivery=delivery, source="/x", interval=interval, pause=clock.wait, clock=lambda: clock.now
    )


def said_by(delivery: RecordingDelivery) -> list[FetchProgressed]:
    return [event.data for event in delivery.published if isinstance(event.data, FetchProgressed)]


def test_at_most_two_words_a_second_and_always_the_last() -> None:
    clock, progress = Clock(), Progress()
    delivery = TimedDelivery(clock)
    teller = teller_for(delivery, clock)
    for step in range(100):
        clock.now = step / 100
        progress.position("Main.xml")(step)
        teller.tell(HOLDING, progress.snapshot())
    progress.done("Main.xml", 100)
    teller.tell(HOLDING, progress.snapshot(), last=True)
    said = said_by(delivery)
    assert [(p.bytes_done, p.files_done) for p in said] == [(0, 0), (50, 0), (100, 1)]
    assert {(p.bytes_total, p.files_total) for p in said} == {(100, 1)}
    assert delivery.times == [0.0, 0.5, 1.0]


def test_a_word_that_the_bus_does_not_confirm_ends_no_fetch_and_the_next_one_is_said() -> None:
    class Away(RecordingDelivery):
        """A bus that is away for the first word."""

        def publish(self, events: Sequence[Event]) -> None:
            if progress.snapshot().bytes == 0:
                raise DependencyAwayError("RabbitMQ takes no messages (low on disk)")
            super().publish(events)

    clock, progress, delivery = Clock(), Progress(), Away()
    teller = teller_for(delivery, clock)
    teller.tell(HOLDING, progress.snapshot())
    progress.done("Main.xml", 100)
    teller.tell(HOLDING, progress.snapshot(), last=True)
    assert [p.bytes_done for p in said_by(delivery)] == [100]


def test_the_last_words_on_many_small_blocks_keep_the_pace_too() -> None:
    clock = Clock()
    delivery = TimedDelivery(clock)
    teller = teller_for(delivery, clock)
    for size, eb_uid in enumerate(EBS * 3):
        progress = Progress()
        progress.done("Main.xml", size)
        teller.tell(FilesHolding(location=AsdmLocation(eb_uid=eb_uid, files=(FILE,))), progress.snapshot(), last=True)
    assert delivery.times == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]


@dataclass(frozen=True)
class Underway:
    """A block that comes, or of which nothing has come."""

    holding: FilesHolding | None
    progress: Progress


def test_blocks_side_by_side_take_turns_and_each_has_its_own_rate() -> None:
    clock, delivery = Clock(), RecordingDelivery()
    teller = teller_for(delivery, clock, interval=1.0)
    blocks = [Underway(FilesHolding(location=AsdmLocation(eb_uid=eb, files=(FILE,))), Progress()) for eb in EBS]
    for step in range(4):
        for speed, block in enumerate(blocks, start=1):
            block.progress.position("Main.xml")(step * speed * 10)
        teller.tell_one_of([*blocks, Underway(None, Progress())])
        clock.wait(1)
    said = said_by(delivery)
    assert [word.eb_uid for word in said] == [*EBS, *EBS]
    assert [word.rate for word in said] == [None, None, 10, 20]


def test_of_a_block_of_which_nothing_came_there_is_no_last_word() -> None:
    delivery = RecordingDelivery()
    teller_for(delivery, Clock()).tell_last(Underway(None, Progress()))
    assert delivery.published == []


def test_rate_and_expected_end_are_said_from_the_second_word_on() -> None:
    clock, delivery, progress = Clock(), RecordingDelivery(), Progress()
    teller = teller_for(delivery, clock)
    for position in (0, 20):
        progress.position("Main.xml")(position)
        teller.tell(HOLDING, progress.snapshot())
        clock.wait(2)
    first, second = said_by(delivery)
    assert (first.rate, first.expected_end) == (None, None)
    assert second.rate == 10
    assert second.expected_end is not None
    assert abs(second.expected_end - datetime.now(UTC) - timedelta(seconds=8)) < timedelta(seconds=2)


def seen(*positions: tuple[float, int], window: float = 10) -> float | None:
    rate = Rate(window=window)
    return [rate.see(now, position) for now, position in positions][-1]


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ([(0, 0)], None),
        ([(0, 5), (0, 9)], None),
        ([(0, 0), (2, 100)], 50),
        ([(0, 0), (1, 0), (2, 0)], 0),
        ([(0, 0), (10, 1000), (20, 1000), (30, 1100)], 10),
        ([(0, 0), (1, 900), (2, 100), (3, 200)], 100),
    ],
    ids=["once", "no time", "steady", "nothing comes", "only the last seconds count", "begun again"],
)
def test_the_rate_is_that_of_the_last_seconds(positions: list[tuple[float, int]], expected: float | None) -> None:
    assert seen(*positions) == expected


@pytest.mark.parametrize(("left", "rate"), [(100, None), (100, 0.0), (10**15, 1.0)], ids=["unknown", "none", "ages"])
def test_an_end_that_nobody_can_know_is_not_said(left: int, rate: float | None) -> None:
    assert expected_end(left, rate) is None


def test_what_is_there_ends_now() -> None:
    end = expected_end(0, 5.0)
    assert end is not None
    assert abs(end - datetime.now(UTC)) < timedelta(seconds=2)


def test_no_news_is_not_said() -> None:
    delivery = RecordingDelivery()
    teller = teller_for(delivery, Clock(), interval=0.0)
    for _ in range(3):
        teller.tell(HOLDING, Progress().snapshot())
    assert len(delivery.published) == 1


def test_a_file_that_is_begun_again_takes_its_bytes_back() -> None:
    progress = Progress()
    position = progress.position("Main.xml")
    position(70)
    position(0)
    position(30)
    assert progress.snapshot().bytes == 30
