"""The judge of a run finds what is wrong: each thing that must not be is made by hand here."""

import json
import smtplib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex

import pytest

from alma_restore.demo.scenario import Asked, Expected
from alma_restore.progress import RequestState
from contracts.envelope import Event
from contracts.messages.parts import ObjectRef
from contracts.reasons import ReasonCode
from services.request_desk.ledger.migrating import migrate
from services.request_desk.ledger.store import SqlLedger
from shared.bus.following import Place
from shared.objects import S3Settings
from shared.objects.lease import Leases
from shared.objects.s3 import S3Store
from shared.objects.s3_client import S3Client
from shared.objects.s3_digests import WRITER_HEADER, Digests
from tests.chaos.judge import troubles_that_never_were
from tests.chaos.judge_ledger import ledger_differences
from tests.chaos.judge_mails import mails_recorded, mails_sent_again
from tests.chaos.judge_store import left_after_sweeping, left_by_the_living
from tests.chaos.postbox import Postbox, Sent
from tests.support.mail_server import serving
from tests.support.s3 import S3Server
from tests.support.stories import Story

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture
def settings(server: S3Server) -> S3Settings:
    return server.settings(bucket=f"judge-{token_hex(4)}")


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_what_the_living_left_is_a_fault_and_what_the_dead_left_is_swept(settings: S3Settings, tmp_path: Path) -> None:
    with (
        closing(S3Store(settings)) as store,
        closing(S3Client(settings, connect_timeout=5, read_timeout=5, retries=0)) as client,
    ):
        leases = Leases(objects=store)
        leases.claim("let/go", owner="0 casa-runner", ttl=timedelta(minutes=4)).release()
        leases.claim("kept", owner="1 casa-runner", ttl=timedelta(minutes=4))
        client.begin_upload("begun", {WRITER_HEADER: "somebody"})
        Digests(client=client).record("somebody", ObjectRef(key="never/named", size=1, sha256="0" * 64))
        now = datetime.now(UTC)
        lease, upload, record = left_by_the_living(store, settings, calm_since=now - HOUR)
        assert lease == "lease of kept, which 1 casa-runner never let go"
        assert upload.startswith("upload of begun, begun at ")
        assert record.startswith("record of a digest of never/named, written at ")
        assert list(left_by_the_living(store, settings, calm_since=now + HOUR)) == []
        assert list(left_after_sweeping(store, scratch=tmp_path)) == []
        assert list(left_by_the_living(store, settings, calm_since=now - HOUR)) == []


def test_a_record_whose_object_is_there_is_no_fault(settings: S3Settings) -> None:
    with closing(S3Store(settings)) as store:
        store.put("in/parts", (bytes(1024 * 1024) for _ in range(17)))
        assert list(left_by_the_living(store, settings, calm_since=datetime.now(UTC) - HOUR)) == []


def died(*seconds: float) -> list[tuple[datetime, datetime]]:
    return [(at(each), at(each)) for each in seconds]


def test_a_mail_that_is_sent_again_is_excused_by_a_death_before_it_was_recorded_alone() -> None:
    twice = [Sent("<one>", at(0)), Sent("<other>", at(5)), Sent("<one>", at(60))]
    for excuse in (died(1), [(at(-5), at(5))], [(at(59), at(70))]):
        assert list(mails_sent_again(twice, away=excuse, recorded={"<one>": [at(61)]})) == []
    for away, recorded, why in (
        ([], {}, "nobody died in between"),
        (died(-1, 61), {}, "nobody died in between"),
        ([(at(-5), at(-1))], {}, "nobody died in between"),
        (died(1), {"<one>": [at(0.5)]}, "although it was recorded"),
    ):
        (fault,) = mails_sent_again(twice, away=away, recorded=recorded)
        assert fault.startswith("mail <one> was sent at ")
        assert fault.endswith(why)


def test_each_sending_after_the_first_has_to_be_excused() -> None:
    thrice = [Sent("<one>", at(seconds)) for seconds in (0, 10, 20)]
    assert len(list(mails_sent_again(thrice, away=died(5), recorded={}))) == 1
    assert list(mails_sent_again(thrice, away=died(5, 15), recorded={})) == []


def test_the_postbox_counts_each_sending_and_keeps_the_mail_once(tmp_path: Path) -> None:
    postbox = Postbox(folder=tmp_path / "mails")
    with serving(postbox) as port, smtplib.SMTP("127.0.0.1", port) as server:
        for _ in range(2):
            server.sendmail("a@example.org", ["b@example.org"], b"Message-ID: <one@example.org>\r\n\r\nHello\r\n")
    assert [each.message_id for each in postbox.sent] == ["<one@example.org>"] * 2
    assert [path.name for path in postbox.folder.iterdir()] == ["one@example.org.eml"]


def test_the_notifiers_log_tells_when_a_mail_was_recorded_even_if_its_last_line_was_cut_off(tmp_path: Path) -> None:
    line = json.dumps({"event": "mail_sent", "message_id_header": "<one>", "timestamp": "2026-03-01T12:00:01.5Z"})
    (tmp_path / "6-notifier.jsonl").write_text(f"{line}\nno JSON\n{line[:40]}")
    assert mails_recorded(tmp_path) == {"<one>": [at(1.5)]}


def test_a_trouble_that_did_not_happen_is_a_fault() -> None:
    found = troubles_that_never_were(["kill store", "kill broker", "0 notifier"], {"kill broker": 2, "0 notifier": 0})
    assert [fault.partition(" never")[0] for fault in found] == ["kill store", "0 notifier"]


@pytest.fixture
def story() -> Story:
    story = Story()
    story.refused()
    return story


def refused(story: Story) -> Asked:
    expected = Expected(state=RequestState.REFUSED, reason=ReasonCode.NOT_ENTITLED)
    return Asked(title="one", request=story.request, expected=expected)


def ledger_of(folder: Path, events: Sequence[Event]) -> str:
    url = f"sqlite:///{folder}/ledger.db"
    migrate(url)
    with closing(SqlLedger(url=url)) as ledger:
        ledger.record_all(events, place=Place(len(events) - 1))
    return url


def test_a_ledger_that_has_all_of_the_journal_is_right(tmp_path: Path, story: Story) -> None:
    url = ledger_of(tmp_path, story.events)
    assert list(ledger_differences(url, [refused(story)], story.events, scratch=tmp_path)) == []


def test_a_ledger_that_lacks_an_event_is_a_fault(tmp_path: Path, story: Story) -> None:
    url = ledger_of(tmp_path, story.events[:-1])
    place, end, other = ledger_differences(url, [refused(story)], story.events, scratch=tmp_path)
    assert place.endswith("up to 1, and its last event is 2")
    assert end.startswith("request one: the ledger knows ('refused', ")
    assert other.endswith("otherwise than one that is made of the journal in peace")


def test_a_ledger_that_knows_another_end_than_the_right_one_is_a_fault(tmp_path: Path, story: Story) -> None:
    url = ledger_of(tmp_path, story.events)
    delivered = replace(refused(story), expected=Expected(state=RequestState.DELIVERED))
    (end,) = ledger_differences(url, [delivered], story.events, scratch=tmp_path)
    assert end.endswith("instead of ('delivered', None, 1)")
