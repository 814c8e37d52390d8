"""Takes requests in: from trigger files, and from tickets with several MOUSs."""

from collections.abc import Sequence
from uuid import uuid5

import structlog

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import MailSent, RequestSubmitted, TicketRefused, TicketSubmitted
from contracts.reasons import ReasonCode
from services.request_desk.intake.directory import TriggerDirectory
from services.request_desk.intake.triggers import Publish, Triggers
from services.request_desk.intake.watch import TriggerWatch
from services.request_desk.settings import RequestDeskSettings
from shared.bus import Delivery, Subscription
from shared.objects import ObjectStore
from shared.service import source_of
from shared.tickets import TooManyMousError, requests_of

log = structlog.get_logger()

NAME = "request-desk"


class RequestDesk:
    """Makes requests of what comes in.

    Parameters
    ----------
    settings
        Settings of the service.
    directory
        The trigger files, if there are any to watch.
    watch
        Watches them.
    """

    name = NAME

    def __init__(
        self,
        *,
        settings: RequestDeskSettings,
        directory: TriggerDirectory | None = None,
        watch: TriggerWatch | None = None,
    ) -> None:
        self._concurrency = settings.concurrency
        self._directory = directory
        self._watch = watch

    def subscriptions(self) -> Sequence[Subscription]:
        """Listen to tickets, and to mails that went out: after one a trigger file may be done."""
        return [
            Subscription(queue=self.name, topics=QUEUES[self.name], handler=self.handle, concurrency=self._concurrency)
        ]

    def handle(self, event: Event, _delivery: Delivery) -> list[Event]:
        """Make requests of a ticket, or look after the trigger files."""
        match event.data:
            case TicketSubmitted() as submitted:
                return _requests_of(event, submitted)
            case MailSent():
                if self._watch is not None:
                    self._watch.wake()
                return []
            case other:
                raise TypeError(f"the {self.name} does not handle {other.type_name()}")

    def begin(self, publish: Publish) -> None:
        """Begin to watch the trigger files."""
        if self._watch is not None:
            self._watch.begin(publish)

    def rest(self) -> None:
        """Take no more trigger files."""
        if self._watch is not None:
            self._watch.rest()

    def is_ready(self) -> bool:
        """Whether the trigger files can be read and removed."""
        return self._directory is None or self._directory.is_ready()

    def close(self) -> None:
        """End the watching, if it has not ended."""
        self.rest()


def _requests_of(event: Event, submitted: TicketSubmitted) -> list[Event]:
    ticket, source = submitted.request, source_of(NAME)
    try:
        requests = requests_of(ticket)
    except TooManyMousError as error:
        log.info("ticket_refused", reason=str(error))
        refused = TicketRefused(request=ticket, reason=ReasonCode.TOO_MANY_MOUS, detail=str(error))
        return [event.conclude(refused, source=source)]
    return [
        Event.first(
            RequestSubmitted(request=request),
            source=source,
            event_id=uuid5(request.request_id, RequestSubmitted.topic),
        ).model_copy(update={"causationid": event.id})
        for request in requests
    ]


def build(*, objects: ObjectStore, settings: RequestDeskSettings | None = None) -> RequestDesk:
    """Make the service with what its settings name.

    Parameters
    ----------
    objects
        The object store.
    settings
        From the environment if None.
    """
    settings = settings or RequestDeskSettings()
    if settings.triggers is None:
        return RequestDesk(settings=settings)
    directory = TriggerDirectory(settings.triggers)
    triggers = Triggers(
        directory=directory,
        objects=objects,
        source=source_of(NAME),
        settle=settings.settle_seconds,
        patience=settings.patience_seconds,
    )
    watch = TriggerWatch(
        triggers=triggers,
        root=directory.root,
        watching=settings.watching,
        period=settings.scan_seconds,
        settle=settings.settle_seconds,
    )
    return RequestDesk(settings=settings, directory=directory, watch=watch)
