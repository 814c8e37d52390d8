"""What people ask of the desk: submit, cancel, renew, send on again; each said as an event and noted at once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from uuid import UUID, uuid4, uuid5

import structlog
from pydantic import BaseModel, ConfigDict, Field

from contracts.envelope import Event
from contracts.identifiers import InvalidIdentifierError, MousUid, ProjectCode
from contracts.messages import RequestSubmitted
from contracts.messages.parts import EmailText, LineText, RestoreRequest, RestoreTicket, Selection
from contracts.reasons import REASONS, ReasonCode
from services.request_desk.deliveries.base import DeliveryView
from services.request_desk.ledger.acting import RequestOverError, UnknownRequestError, cancel_request, try_now
from services.request_desk.ledger.records import Page, RequestFilter, RequestRecord
from services.request_desk.web.faults import ConflictError, NotThereError, RefusedError, TooManyError, UnusableError
from services.request_desk.web.identity import Identity, Role
from services.request_desk.web.limits import share
from services.request_desk.web.parts import Parts
from shared.errors import DependencyAwayError
from shared.service import source_of
from shared.tickets import TooManyMousError, requests_of

log = structlog.get_logger()

SOURCE = source_of("request-desk")


class OtherUser(BaseModel):
    """In whose name a program or an operator asks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: LineText
    email: EmailText
    account: LineText | None = None


class Submission(BaseModel):
    """What somebody asks for: the calibrated data of up to 10 MOUSs of one project."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project_code: ProjectCode
    mous_uids: tuple[str, ...] = Field(
        min_length=1, max_length=1000, description="Up to 10, like uid://A001/X1284/X265f; more are refused whole"
    )
    ticket: LineText | None = Field(default=None, description="Helpdesk ticket, if there is one")
    selection: Selection = Selection()
    contact_email: EmailText | None = Field(default=None, description="ARC contact who gets a copy")
    cc: tuple[EmailText, ...] = Field(default=(), max_length=20)
    force: bool = Field(default=False, description="Start although the same data is being restored already")
    user: OtherUser | None = Field(default=None, description="In whose name; for programs and operators only")


class Submitted(BaseModel):
    """What became of one MOUS of a submission."""

    model_config = ConfigDict(frozen=True)

    mous: str = Field(description="As it was sent")
    request_id: UUID | None = Field(default=None, description="None if it was not submitted")
    code: str = Field(description="submitted, or why not")
    text: str = ""


class Acting:
    """Does what people ask for.

    Parameters
    ----------
    parts
        What the application stands on.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._one_at_a_time = Lock()

    def submit(self, identity: Identity, asked: Submission, *, key: str | None = None) -> tuple[Submitted, ...]:
        """Submit a request for each MOUS; one that cannot be read, or is one too many, does not stop the others.

        Parameters
        ----------
        identity
            Who asks.
        asked
            What for.
        key
            Makes repeats known: the same key of the same caller is the same submission.

        Raises
        ------
        UnusableError
            If there are more than ten.
        RefusedError
            If somebody asks in another one's name who may not.
        """
        ticket_id = uuid4() if key is None else uuid5(_of(identity), key)
        return self.submit_ticket(identity, asked, ticket_id=ticket_id)

    def submit_ticket(self, identity: Identity, asked: Submission, *, ticket_id: UUID) -> tuple[Submitted, ...]:
        """Submit under an id from which those of the requests are derived; see `submit`."""
        user = user_of(identity, asked)
        read = {text: _read_mous(text) for text in dict.fromkeys(asked.mous_uids)}
        requests = self._requests(asked, user, tuple(mous for mous in read.values() if mous), ticket_id)
        with self._one_at_a_time:
            room = self._room(identity, user)
            known = {mous: self._parts.ledger.request(each.request_id) for mous, each in requests.items()}
            fresh = [each for mous, each in requests.items() if known[mous] is None]
            taken = {each.request_id for each in fresh[:room]}
            self._say([_submitted(each) for each in fresh[:room]])
        log.info("requests_submitted", count=len(taken), in_name_of=user.email, forced=asked.force)
        answers = [_answer(text, None if mous is None else requests[mous], taken, known) for text, mous in read.items()]
        return tuple(answers)

    def submit_one(self, identity: Identity, request: RestoreRequest) -> None:
        """Submit a request that was prepared before.

        Raises
        ------
        TooManyError
            If it is one too many.
        """
        user = OtherUser(name=request.user_name, email=request.user_email, account=request.user_account)
        with self._one_at_a_time:
            if self._room(identity, user) < 1:
                raise TooManyError(_FULL, reason="too_many_active")
            self._say([_submitted(request)])
        log.info("requests_submitted", count=1, in_name_of=user.email)

    def cancel(self, identity: Identity, record: RequestRecord, *, reason: str) -> None:
        """Cancel a request: whoever works for it stops within seconds.

        Raises
        ------
        ConflictError
            If it is over.
        """
        parts = self._parts
        with _in_conflict():
            cancel_request(
                record.id,
                by=identity.account,
                reason=reason,
                ledger=parts.ledger,
                objects=parts.objects,
                publish=self._say,
            )

    def renew(self, identity: Identity, record: RequestRecord, *, until: datetime | None = None) -> DeliveryView:
        """Keep the delivery of a request for longer.

        Raises
        ------
        NotThereError
            If it has none.
        """
        deliveries = self._parts.deliveries
        found = None if deliveries is None else deliveries.of_request(record.id)
        if deliveries is None or found is None:
            raise NotThereError("the request has no delivery", reason="no_delivery")
        return deliveries.renew(found.token, by=identity.account, until=until)

    def send_on_again(self, identity: Identity, request_id: UUID, *, reason: str) -> int:
        """Give the events of a request that nothing followed to their services again, whether it is stuck or not yet.

        Raises
        ------
        ConflictError
            If nothing of it is waiting to be done, or its events are not kept.
        """
        with _in_conflict():
            sent = try_now(request_id, by=identity.account, reason=reason, ledger=self._parts.ledger, publish=self._say)
        return len(sent)

    def _requests(
        self, asked: Submission, user: OtherUser, mous_uids: Sequence[MousUid], ticket_id: UUID
    ) -> dict[MousUid, RestoreRequest]:
        if not mous_uids:
            return {}
        ticket = RestoreTicket(
            request_id=ticket_id,
            project_code=asked.project_code,
            mous_uids=tuple(mous_uids),
            user_name=user.name,
            user_email=user.email,
            user_account=user.account,
            ticket=asked.ticket or f"desk-{ticket_id.hex[:8]}",
            selection=asked.selection,
            contact_email=asked.contact_email,
            cc=asked.cc,
            force=asked.force,
        )
        try:
            return {each.mous_uid: each for each in requests_of(ticket)}
        except TooManyMousError as error:
            raise UnusableError(str(error), reason=error.code) from error

    def _room(self, identity: Identity, user: OtherUser) -> int:
        """Say how many more requests a user may have under way."""
        if identity.is_any(Role.OPERATOR):
            return 1000
        ledger, settings = self._parts.ledger, self._parts.settings
        own = RequestFilter(owner_account=user.account, owner_email=user.email, active=True)
        mine = ledger.requests(own, Page(size=1)).total
        under_way = ledger.under_way()
        others = under_way.keys() - {user.account, user.email.lower()}
        most, crowded = settings.active_per_user, settings.active_in_all
        in_all = sum(under_way.values())
        return max(0, share(active_in_all=in_all, users=len(others) + 1, most=most, crowded=crowded) - mine)

    def _say(self, events: Sequence[Event]) -> None:
        """Publish, and note at once what the ledger will hear anyway, so that who asks next sees it."""
        if not events:
            return
        self._parts.publish(events)
        for event in events:
            try:
                self._parts.ledger.record(event)
            except DependencyAwayError as error:
                log.warning("event_is_noted_later", code=error.code, detail=str(error))


_FULL = "you have as many requests under way as there may be now: wait until one has ended"


def user_of(identity: Identity, asked: Submission) -> OtherUser:
    """Say in whose name somebody asks: a user in no name but the own one.

    Raises
    ------
    RefusedError
        If somebody asks in another one's name who may not, or in the own one without an address.
    """
    if asked.user is not None:
        if not identity.sees_all:
            raise RefusedError("you can ask in your own name only: leave out `user`", reason="other_user")
        return asked.user
    if not identity.is_any(Role.USER, Role.OPERATOR):
        raise RefusedError("a program asks in the name of a user: give `user`", reason="no_user")
    if identity.email is None:
        raise RefusedError(
            "your account has no verified e-mail address, and the data is announced by mail: "
            "have it verified where you sign in",
            reason="no_email",
        )
    return OtherUser(name=identity.name, email=identity.email, account=identity.account)


def _read_mous(text: str) -> MousUid | None:
    try:
        return MousUid(text)
    except InvalidIdentifierError:
        return None


def _submitted(request: RestoreRequest) -> Event:
    event_id = uuid5(request.request_id, RequestSubmitted.topic)
    return Event.first(RequestSubmitted(request=request), source=SOURCE, event_id=event_id)


def _answer(
    text: str,
    request: RestoreRequest | None,
    taken: set[UUID],
    known: dict[MousUid, RequestRecord | None],
) -> Submitted:
    if request is None:
        reason = REASONS[ReasonCode.INVALID_MOUS_UID]
        return Submitted(mous=text, code=ReasonCode.INVALID_MOUS_UID, text=reason.user)
    if request.request_id in taken or known[request.mous_uid] is not None:
        return Submitted(mous=text, request_id=request.request_id, code="submitted")
    return Submitted(mous=text, code="too_many_active", text=_FULL)


def _of(identity: Identity) -> UUID:
    return uuid5(_NAMESPACE, identity.subject)


_NAMESPACE = UUID("6d3f2d0e-5e0f-5d8e-9a64-1d8d6f3e7b21")


@contextmanager
def _in_conflict() -> Iterator[None]:
    """Say that how things are stands against it, where the ledger's acting says that nothing can be done."""
    try:
        yield
    except (RequestOverError, UnknownRequestError) as error:
        raise ConflictError(str(error), reason=error.code) from error
