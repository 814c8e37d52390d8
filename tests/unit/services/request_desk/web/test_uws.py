"""UWS 1.1, spoken by an independent client (pyvo), and by hand where that has no word for it."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Thread
from uuid import UUID

import pytest
import requests
from lxml import etree
from pyvo.dal.exceptions import DALServiceError
from pyvo.dal.tap import AsyncTAPJob
from pyvo.io import uws

from contracts.messages import (
    DeliveryExpired,
    RequestAccepted,
    RequestRefused,
    RequestSubmitted,
    RequestWaiting,
    StructureResolved,
)
from contracts.messages.parts import Entitlement
from contracts.reasons import ReasonCode
from services.request_desk.web.uws.xml import UWS, XSI
from tests.support.desk_site import JAN, MOUS, TAR, VERA, DeskSite, deliver, later
from tests.support.oidc_provider import Person
from tests.support.samples import STRUCTURE

FORM = {"PROJECT": "2017.1.00886.L", "MOUS": MOUS, "RUNID": "16140", "FIELD": "J0510+1800,J0321+1234"}


def client(desk: DeskSite, person: Person = VERA) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {desk.provider.token(person)}"
    return session


def created(desk: DeskSite, **more: str) -> AsyncTAPJob:
    session = client(desk)
    answer = session.post(f"{desk.base_url}/uws", data={**FORM, **more})
    answer.raise_for_status()
    return AsyncTAPJob(answer.url, session=session)


def job_of(desk: DeskSite, request_id: UUID) -> AsyncTAPJob:
    return AsyncTAPJob(f"{desk.base_url}/uws/{request_id}", session=client(desk))


def test_a_job_is_made_pending_and_begins_when_its_owner_says_run(desk: DeskSite) -> None:
    job = created(desk)
    assert (job.phase, job.owner, desk.bus_said(RequestSubmitted)) == ("PENDING", "vrubin", [])
    assert desk.ledger.request(UUID(job.job_id)) is None
    job.run()
    assert job.phase == "QUEUED"
    (said,) = [event.data for event in desk.bus_said(RequestSubmitted)]
    assert isinstance(said, RequestSubmitted)
    assert str(said.request.request_id) == job.job_id
    assert said.request.selection.calibrator_fields == ("J0510+1800", "J0321+1234")
    assert said.request.ticket == "16140"
    job.run()
    assert len(desk.bus_said(RequestSubmitted)) == 1


def test_parameters_of_a_pending_job_can_be_changed_and_of_one_that_runs_no_more(desk: DeskSite) -> None:
    job = created(desk)
    session = client(desk)
    session.post(f"{job.url}/parameters", data={"FIELD": "J0423-0120"}).raise_for_status()
    found = [(each.id_, each.content) for each in job.job.parameters]
    assert ("FIELD", "J0423-0120") in found
    assert len([name for name, _ in found if name == "FIELD"]) == 1
    job.run()
    assert session.post(f"{job.url}/parameters", data={"FIELD": "x"}).status_code == 409


def test_phases_follow_the_way_of_a_request(desk: DeskSite) -> None:
    request = desk.request(VERA)
    job = job_of(desk, request.request_id)
    assert job.phase == "QUEUED"
    desk.say(RequestAccepted(request=request, entitlement=Entitlement.PI))
    desk.say(StructureResolved(request=request, structure=STRUCTURE))
    assert job.phase == "EXECUTING"
    desk.say(
        RequestWaiting(
            request_id=request.request_id,
            mous_uid=MOUS,
            service="ngas-fetcher",
            cause="NGAS is away",
            attempt=1,
            next_attempt=later(minutes=1),
        )
    )
    assert job.phase == "SUSPENDED"
    made = deliver(desk, request)
    assert job.phase == "COMPLETED"
    assert abs(job.destruction.to_datetime() - made.expires.replace(tzinfo=None)) < timedelta(seconds=1)
    expired = DeliveryExpired(request_id=request.request_id, mous_uid=MOUS, files=())
    desk.say(expired)
    assert job.phase == "ARCHIVED"


def test_results_are_links_with_sizes_that_can_be_fetched(desk: DeskSite) -> None:
    request = desk.request(VERA)
    deliver(desk, request, {TAR: b"calibrated " * 100})
    job = job_of(desk, request.request_id)
    results = {each.id_: each for each in job.job.results}
    assert set(results) == {TAR, "README.txt"}
    assert results[TAR].size == 1100
    assert requests.get(results[TAR].href).content == b"calibrated " * 100
    through = client(desk).get(f"{job.url}/results/{TAR}")
    assert through.content == b"calibrated " * 100


def test_the_owner_puts_the_destruction_off_and_brings_it_not_forward(desk: DeskSite) -> None:
    request = desk.request(VERA)
    made = deliver(desk, request, days=3)
    job = job_of(desk, request.request_id)
    with pytest.raises(DALServiceError):
        job.destruction = datetime.now(UTC) + timedelta(days=1)
    job.destruction = datetime.now(UTC) + timedelta(days=20)
    deliveries = desk.deliveries
    assert deliveries is not None
    assert deliveries.find(made.token).expires > made.expires + timedelta(days=16)


def test_why_a_job_has_failed_is_said(desk: DeskSite) -> None:
    request = desk.request(VERA)
    desk.say(RequestRefused(request=request, reason=ReasonCode.NOT_ENTITLED))
    job = job_of(desk, request.request_id)
    assert job.phase == "ERROR"
    assert "public" in job.job.errorsummary.message.content
    assert "public" in client(desk).get(f"{job.url}/error").text


def test_waiting_ends_with_the_phase_and_not_with_what_goes_on_within_it(desk: DeskSite) -> None:
    job = created(desk, PHASE="RUN")
    request = desk.bus_said(RequestSubmitted)[0].data
    assert isinstance(request, RequestSubmitted)
    waiting = Thread(target=job.wait, kwargs={"phases": {"ERROR"}, "timeout": 30})
    waiting.start()
    desk.say(RequestAccepted(request=request.request, entitlement=Entitlement.PI))
    desk.say(RequestRefused(request=request.request, reason=ReasonCode.NOT_RESTORABLE_YET))
    waiting.join(10)
    assert not waiting.is_alive()
    session = client(desk)
    assert uws.parse_job(_reader(session.get(f"{job.url}?WAIT=-1").content)).phase == "ERROR"
    asked = session.get(f"{job.url}?WAIT=0.1&PHASE=QUEUED")
    assert asked.status_code == 200
    assert session.get(f"{job.url}?WAIT=soon").status_code == 422


def test_a_job_is_aborted_and_deleted(desk: DeskSite) -> None:
    job = created(desk, PHASE="RUN")
    job.abort()
    assert job.phase == "ABORTED"
    pending = created(desk)
    pending.delete()
    with pytest.raises(DALServiceError, match="no such job"):
        job_of(desk, UUID(pending.job_id))


def test_the_list_is_filtered_by_phase_time_and_number(desk: DeskSite) -> None:
    session, address = client(desk), f"{desk.base_url}/uws"
    requests_ = [desk.request(VERA) for _ in range(3)]
    desk.say(RequestRefused(request=requests_[0], reason=ReasonCode.NOT_ENTITLED))
    pending = created(desk)
    foreign = desk.request(JAN)

    def ids(query: str) -> list[str]:
        found = uws.parse_job_list(_reader(session.get(f"{address}{query}").content))
        return [job.jobid for job in found]

    assert set(ids("")) == {pending.job_id, *(str(request.request_id) for request in requests_)}
    assert str(foreign.request_id) not in ids("")
    assert ids("?PHASE=PENDING") == [pending.job_id]
    assert set(ids("?PHASE=PENDING&PHASE=ERROR")) == {pending.job_id, str(requests_[0].request_id)}
    assert ids("?LAST=1") == [pending.job_id]
    assert ids(f"?AFTER={later(hours=1):%Y-%m-%dT%H:%M:%S}") == []
    assert len(ids(f"?after={later(hours=-1):%Y-%m-%dT%H:%M:%S}")) == 4
    assert ids("?PHASE=HELD") == []
    for bad in ("?PHASE=nonsense", "?LAST=0", "?LAST=x", "?AFTER=yesterday"):
        assert session.get(f"{address}{bad}").status_code == 422


def test_another_ones_job_is_as_if_it_were_not_there(desk: DeskSite) -> None:
    request, pending = desk.request(VERA), created(desk)
    jan = client(desk, JAN)
    for job in (str(request.request_id), pending.job_id):
        address = f"{desk.base_url}/uws/{job}"
        for part in ("", "/phase", "/parameters", "/results", "/error", "/owner", "/quote", "/destruction"):
            assert jan.get(address + part).status_code == 404
        assert jan.post(f"{address}/phase", data={"PHASE": "ABORT"}).status_code == 404
        assert jan.post(f"{address}/phase", data={"PHASE": "RUN"}).status_code == 404
        assert jan.delete(address).status_code == 404
    assert pending.phase == "PENDING"


def test_what_is_not_known_is_nil_and_elements_stand_in_the_order_of_the_schema(desk: DeskSite) -> None:
    job = created(desk)
    root = etree.fromstring(client(desk).get(job.url).content)
    assert root.get("version") == "1.1"
    assert [etree.QName(element).localname for element in root] == [
        "jobId",
        "runId",
        "ownerId",
        "phase",
        "quote",
        "creationTime",
        "startTime",
        "endTime",
        "executionDuration",
        "destruction",
        "parameters",
        "results",
    ]
    for name in ("quote", "startTime", "endTime", "destruction"):
        (element,) = root.findall(f"{{{UWS}}}{name}")
        assert element.get(f"{{{XSI}}}nil") == "true"


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"PROJECT": "2017.1.00886.L"},
        {**FORM, "MOUS": "nonsense"},
        {**FORM, "PROJECT": "nonsense"},
        {**FORM, "NOTHING": "x"},
        {**FORM, "PHASE": "FLY"},
        {**FORM, "CHANBIN": "many"},
        {**FORM, "CC": "no address"},
        {**FORM, "RUNID": "a\r\nBcc: everybody@example.org"},
    ],
)
def test_a_form_that_cannot_be_used_is_refused_in_words(form: dict[str, str], desk: DeskSite) -> None:
    answer = client(desk).post(f"{desk.base_url}/uws", data=form)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"].startswith("text/plain")


def _reader(content: bytes) -> Callable[[int], bytes]:
    """Return what pyvo reads a document by."""
    return io.BytesIO(content).read
