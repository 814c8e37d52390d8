"""Progress is said at a bearable rate, and its last word always."""

from contracts.envelope import Event
from contracts.messages import FetchProgressed, StructureResolved
from services.ngas_fetcher.checksums import Checksum, ChecksumKind
from services.ngas_fetcher.holding import FilesHolding
from services.ngas_fetcher.location import ArchiveFile, AsdmLocation
from services.ngas_fetcher.progress import Progress, ProgressTeller
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


def test_at_most_two_words_a_second_and_always_the_last() -> None:
    delivery, now, progress = RecordingDelivery(), [0.0], Progress()
    teller = ProgressTeller(event=EVENT, delivery=delivery, source="/x", interval=0.5, clock=lambda: now[0])
    for step in range(100):
        now[0] = step / 100
        progress.position("Main.xml")(step)
        teller.tell(HOLDING, progress.snapshot())
    progress.done("Main.xml", 100)
    teller.tell(HOLDING, progress.snapshot(), last=True)
    said = [event.data for event in delivery.published if isinstance(event.data, FetchProgressed)]
    assert [(p.bytes_done, p.files_done) for p in said] == [(0, 0), (50, 0), (100, 1)]
    assert {(p.bytes_total, p.files_total) for p in said} == {(100, 1)}


def test_no_news_is_not_said() -> None:
    delivery = RecordingDelivery()
    teller = ProgressTeller(event=EVENT, delivery=delivery, source="/x", interval=0.0, clock=lambda: 0.0)
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
