"""Whether the desk's ledger, whose writer was killed again and again, knows what was said."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from uuid import UUID

from alma_restore.demo.scenario import Asked
from contracts.envelope import Event
from services.request_desk.ledger.migrating import migrate
from services.request_desk.ledger.records import Page, RequestRecord
from services.request_desk.ledger.store import SqlLedger
from shared.bus.journal import end_of_journal
from shared.bus.settings import RabbitSettings


def wait_until_taken(url: str, settings: RabbitSettings, *, timeout: float) -> None:
    """Wait until the ledger has read the journal to its end."""
    until, end = monotonic() + timeout, end_of_journal(settings)
    with closing(SqlLedger(url=url)) as ledger:
        while monotonic() < until and _offset(ledger) != end:
            sleep(0.2)


def ledger_differences(url: str, asked: Sequence[Asked], events: Sequence[Event], *, scratch: Path) -> Iterator[str]:
    """Compare the ledger with the requests' ends, and with one that is made of the same journal in peace."""
    with closing(SqlLedger(url=url)) as ledger:
        counts, place, kept = ledger.counts(), _offset(ledger), _all(ledger)
    if place != len(events) - 1:
        yield f"the ledger has read the journal up to {place}, and its last event is {len(events) - 1}"
    if counts.missed or counts.unreadable:
        yield f"the ledger missed {counts.missed} events and could not read {counts.unreadable}"
    for each in asked:
        record = kept.get(each.request.request_id)
        found = (record.state.value, record.reason, len(record.mails)) if record else None
        if found != (wanted := (each.expected.state.value, each.expected.reason, 1)):
            yield f"request {each.title}: the ledger knows {found} instead of {wanted}"
    other = _made_of(events, f"sqlite:///{scratch}/ledger-made-in-peace.db")
    for request_id in sorted(kept.keys() | other.keys(), key=str):
        if kept.get(request_id) != other.get(request_id):
            yield f"request {request_id}: the ledger knows it otherwise than one that is made of the journal in peace"


def _offset(ledger: SqlLedger) -> int | None:
    return None if (place := ledger.place()) is None else place.offset


def _made_of(events: Iterable[Event], url: str) -> Mapping[UUID, RequestRecord]:
    migrate(url)
    with closing(SqlLedger(url=url)) as ledger:
        ledger.record_all(tuple(events))
        return _all(ledger)


def _all(ledger: SqlLedger) -> Mapping[UUID, RequestRecord]:
    found, page = dict[UUID, RequestRecord](), Page(size=100)
    while True:
        got = ledger.requests(page=page)
        found |= {record.id: record.model_copy(update={"change": 0}) for record in got.requests}
        if got.next_cursor is None:
            return found
        page = Page(size=100, cursor=got.next_cursor)
