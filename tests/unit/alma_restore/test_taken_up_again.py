"""In one process, what was unfinished at the end is taken up again at the next start."""

from collections.abc import Sequence
from pathlib import Path
from threading import Event as Flag

from pydantic import SecretStr

from alma_restore.embedded import Embedded
from contracts.envelope import Event
from contracts.messages import RequestRefused, RequestSubmitted
from contracts.reasons import ReasonCode
from services.request_desk.ledger.settings import LedgerSettings
from services.request_desk.ledger.states import RequestState
from services.request_desk.ledger.store import SqlLedger
from services.request_desk.service import build
from services.request_desk.settings import RequestDeskSettings
from shared.bus import Delivery, RetryPolicy, Subscription
from shared.errors import DependencyAwayError
from shared.objects.directory import DirectoryStore
from shared.service import Service
from tests.support.samples import REQUEST


class Checker:
    """Refuses every request once the archive is there."""

    name = "entitlement-checker"

    def __init__(self, *, away: bool) -> None:
        self.away = away
        self.seen: list[Event] = []
        self.asked = Flag()

    def subscriptions(self) -> Sequence[Subscription]:
        return [Subscription(queue=self.name, topics=("request.submitted",), handler=self.handle)]

    def handle(self, event: Event, _delivery: Delivery) -> list[Event]:
        self.seen.append(event)
        self.asked.set()
        if self.away:
            raise DependencyAwayError("the archive is away")
        assert isinstance(event.data, RequestSubmitted)
        return [event.derive(RequestRefused(request=event.data.request, reason=ReasonCode.CYCLE_0), source=self.name)]

    def is_ready(self) -> bool:
        return True

    def close(self) -> None:
        pass


def embedded(folder: Path, checker: Service) -> Embedded:
    """Run a desk with a ledger, and a checker."""
    objects = DirectoryStore(folder / "objects")
    ledger = LedgerSettings(url=SecretStr(f"sqlite:///{folder / 'ledger.db'}"))
    desk = build(objects=objects, settings=RequestDeskSettings(), ledger=ledger)
    return Embedded(services=[desk, checker], objects=objects, retry=RetryPolicy(delays=(60.0,)))


def test_a_request_that_was_unfinished_is_taken_up_again_with_its_own_event(tmp_path: Path) -> None:
    away, back = Checker(away=True), Checker(away=False)
    with embedded(tmp_path, away) as first:
        first.submit(REQUEST)
        assert away.asked.wait(10)
    with embedded(tmp_path, back):
        assert back.asked.wait(10)
    assert [event.id for event in back.seen] == [away.seen[0].id]
    third = Checker(away=False)
    with embedded(tmp_path, third):
        pass
    assert third.seen == []
    ledger = SqlLedger(url=f"sqlite:///{tmp_path / 'ledger.db'}")
    record = ledger.request(REQUEST.request_id)
    ledger.close()
    assert record is not None
    assert record.state is RequestState.REFUSED
    at_the_second, at_the_third = record.resent
    assert (at_the_second.by, at_the_second.events) == ("embedded start", (away.seen[0].id,))
    assert at_the_third.events != at_the_second.events, "the refusal itself, whose mail never went out"
