"""Find and change jobs for their owners."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

from contracts.messages.parts import RestoreRequest
from services.request_desk.ledger.records import Page, RequestFilter, RequestRecord
from services.request_desk.web.acting import Acting, user_of
from services.request_desk.web.faults import ConflictError, NotThereError
from services.request_desk.web.identity import Identity
from services.request_desk.web.parts import Parts
from services.request_desk.web.reading import check_visible, only_own
from services.request_desk.web.uws.drafts import Draft, Drafts
from services.request_desk.web.uws.forms import Form, request_of, submission_of
from services.request_desk.web.uws.jobs import Job, Phase, Wanted, chosen, job_of, job_of_draft, parameters_of, phase_of

MOST_LISTED = 1000
"""Requests that a list is chosen from, the newest."""


class Jobs:
    """Jobs as their owners see them; every method may wait for the ledger or the store.

    Parameters
    ----------
    parts
        What the application stands on.
    acting
        Does what people ask for.
    """

    def __init__(self, *, parts: Parts, acting: Acting) -> None:
        self._parts = parts
        self._acting = acting
        self._drafts = Drafts(objects=parts.objects)

    def listed(self, user: Identity, wanted: Wanted) -> Sequence[Job]:
        """List jobs."""
        since = wanted.after
        filter_ = only_own(user, RequestFilter(submitted_since=since))
        records = self._parts.ledger.requests(filter_, Page(size=MOST_LISTED)).requests
        known = {record.id for record in records}
        drafts = [draft for draft in self._drafts.of(user.subject) if draft.request.request_id not in known]
        return chosen([*map(job_of, records), *map(job_of_draft, drafts)], wanted)

    def create(self, user: Identity, form: Form) -> UUID:
        """Keep a job that is not begun yet; return its id."""
        asked, mous = submission_of(form)
        request = request_of(asked, mous, user_of(user, asked), job_id=uuid4())
        self._keep(user, request)
        return request.request_id

    def change(self, user: Identity, job_id: UUID, form: Form) -> None:
        """Change parameters of a job that is not begun yet.

        Raises
        ------
        ConflictError
            If it is begun.
        """
        before = self._draft(user, job_id, "its parameters can be changed")
        asked, mous = submission_of(form, before=_gathered(before.request))
        self._keep(user, request_of(asked, mous, user_of(user, asked), job_id=job_id))

    def find(self, user: Identity, job_id: UUID) -> Job:
        """Return a job.

        Raises
        ------
        NotThereError
            If there is none that this user may see.
        """
        record = self._parts.ledger.request(job_id)
        if record is None:
            draft = self._drafts.find(user.subject, job_id)
            if draft is None:
                raise NotThereError("there is no such job", reason="unknown_job")
            return job_of_draft(draft)
        check_visible(user, record)
        deliveries = self._parts.deliveries if phase_of(record) is Phase.COMPLETED else None
        return job_of(record, None if deliveries is None else deliveries.of_request(job_id))

    def run(self, user: Identity, job_id: UUID) -> None:
        """Begin a job; one that is begun already goes on."""
        if self._parts.ledger.request(job_id) is not None:
            self.find(user, job_id)
            return
        draft = self._draft(user, job_id, "it can be begun")
        self._acting.submit_one(user, draft.request)
        self._drafts.remove(user.subject, job_id)

    def abort(self, user: Identity, job_id: UUID) -> None:
        """End a job; one that has ended stays as it is."""
        record = self._record(user, job_id)
        if record is None:
            self._drafts.remove(user.subject, job_id)
        elif record.is_active:
            self._acting.cancel(user, record, reason="aborted by UWS")

    def set_destruction(self, user: Identity, job_id: UUID, until: datetime) -> None:
        """Keep the results of a job for longer.

        Raises
        ------
        ConflictError
            If it has no results yet, or they were to go earlier.
        """
        record = self._record(user, job_id)
        if record is None or record.delivery is None:
            raise ConflictError("the job has no results whose destruction could be put off", reason="no_delivery")
        if until < record.delivery.expires:
            raise ConflictError("destruction can be put off, not brought forward", reason="earlier")
        self._acting.renew(user, record, until=until)

    def _record(self, user: Identity, job_id: UUID) -> RequestRecord | None:
        """Return the request of a job that is begun, None of a draft of this user."""
        record = self._parts.ledger.request(job_id)
        if record is None:
            self.find(user, job_id)
        else:
            check_visible(user, record)
        return record

    def _draft(self, user: Identity, job_id: UUID, what: str) -> Draft:
        job = self.find(user, job_id)
        draft = self._drafts.find(user.subject, job_id)
        if draft is None or job.phase is not Phase.PENDING:
            raise ConflictError(f"the job is {job.phase}: {what} only while it is PENDING", reason="not_pending")
        return draft

    def _keep(self, user: Identity, request: RestoreRequest) -> None:
        self._drafts.keep(user.subject, Draft(request=request, created=datetime.now(UTC)))


def _gathered(request: RestoreRequest) -> Mapping[str, Sequence[str]]:
    """Write a request as the form that would make it."""
    found: dict[str, list[str]] = {}
    for name, value in parameters_of(request):
        found.setdefault(name, []).append(value)
    return found
