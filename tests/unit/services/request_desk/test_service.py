"""The request desk: trigger files and tickets become requests."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.identifiers import MousUid
from contracts.messages import MailSent, Message, ProductsReady, RequestSubmitted, TicketRefused, TicketSubmitted
from contracts.messages.parts import MailKind
from contracts.reasons import ReasonCode
from services.request_desk.service import RequestDesk, build
from services.request_desk.settings import RequestDeskSettings
from shared.bus.memory import MemoryBus
from shared.ends import RequestEnd, mark_end
from shared.objects import ObjectStore
from tests.contract.bus_harness import Collector
from tests.support.delivery import RecordingDelivery
from tests.support.samples import MOUS, REQUEST, TICKET
from tests.unit.services.request_desk.intake.trigger_samples import WHOLE


@pytest.fixture
def desk(objects: ObjectStore) -> Iterator[RequestDesk]:
    desk = build(objects=objects, settings=RequestDeskSettings())
    yield desk
    desk.close()


def handle(desk: RequestDesk, message: Message, event_id: UUID | None = None) -> list[Event]:
    return desk.handle(Event.first(message, source="/test", event_id=event_id), RecordingDelivery())


def ticket_of(number: int) -> TicketSubmitted:
    mous_uids = tuple(MousUid(f"uid://A001/X1/X{n:x}") for n in range(1, number + 1))
    return TicketSubmitted(request=TICKET.model_copy(update={"mous_uids": mous_uids}))


def test_it_listens_to_tickets_and_mails(desk: RequestDesk) -> None:
    (subscription,) = desk.subscriptions()
    assert (subscription.queue, subscription.topics) == ("request-desk", QUEUES["request-desk"])


def test_without_a_directory_it_watches_none_and_is_ready(desk: RequestDesk) -> None:
    desk.begin(lambda _: None)
    assert desk.is_ready()
    sent = MailSent(request_id=TICKET.request_id, kind=MailKind.REFUSED, mail_id=uuid4(), recipients=1)
    assert handle(desk, sent) == []


@pytest.mark.parametrize("number", [1, 2, 10])
def test_i2_a_ticket_becomes_as_many_requests_as_it_names_mouss(desk: RequestDesk, number: int) -> None:
    submitted = ticket_of(number)
    events = handle(desk, submitted)
    requests = [event.data.request for event in events if isinstance(event.data, RequestSubmitted)]
    assert tuple(request.mous_uid for request in requests) == submitted.request.mous_uids
    assert {event.correlationid for event in events} == {request.request_id for request in requests}
    assert len({request.request_id for request in requests}) == number
    for request in requests:
        assert (request.ticket, request.user_email, request.project_code, request.contact_email) == (
            TICKET.ticket,
            TICKET.user_email,
            TICKET.project_code,
            TICKET.contact_email,
        )


def test_i2_the_eleventh_mous_refuses_the_whole_ticket_with_one_answer(desk: RequestDesk) -> None:
    (event,) = handle(desk, ticket_of(11))
    assert isinstance(event.data, TicketRefused)
    assert event.data.reason is ReasonCode.TOO_MANY_MOUS
    assert "11 different MOUS UIDs" in event.data.detail


def test_a_mous_that_a_ticket_names_twice_is_one_request(desk: RequestDesk) -> None:
    both_spellings = [MOUS, MOUS.file_form, MOUS]
    data = TICKET.model_dump(mode="json") | {"mous_uids": both_spellings}
    assert len(handle(desk, TicketSubmitted.model_validate({"request": data}))) == 1


@pytest.mark.parametrize("number", [3, 11])
def test_the_same_ticket_sent_twice_says_the_same(desk: RequestDesk, number: int) -> None:
    first, again = (handle(desk, ticket_of(number), uuid4()) for _ in range(2))
    assert [event.id for event in first] == [event.id for event in again]


def test_an_event_that_is_not_its_own_is_an_error(desk: RequestDesk) -> None:
    with pytest.raises(TypeError, match=r"products\.ready"):
        handle(desk, ProductsReady(request=REQUEST, blocks=()))


def test_a_trigger_file_is_submitted_and_removed_when_the_mail_is_said_to_be_out(
    objects: ObjectStore, tmp_path: Path
) -> None:
    triggers = tmp_path / "triggers"
    triggers.mkdir()
    settings = RequestDeskSettings(triggers=triggers, settle_seconds=0.05, scan_seconds=3600)
    desk = build(objects=objects, settings=settings)
    bus, said = MemoryBus(), Collector[Event]()
    bus.declare(QUEUES)
    bus.listen(said)
    assert desk.is_ready()
    desk.begin(bus.publish)
    path = triggers / WHOLE.name
    path.write_bytes(WHOLE.read_bytes())
    (submitted,) = said.wait_for(1)
    mark_end(
        objects,
        submitted.correlationid,
        RequestEnd(kind=MailKind.DELIVERED, mail_id=uuid4(), ended=datetime.now(UTC)),
    )
    sent = MailSent(request_id=submitted.correlationid, kind=MailKind.DELIVERED, mail_id=uuid4(), recipients=4)
    assert handle(desk, sent) == []
    until = time.monotonic() + 10
    while path.exists():  # the watcher's own thread removes it
        assert time.monotonic() < until
        time.sleep(0.01)
    desk.close()
    bus.close()
