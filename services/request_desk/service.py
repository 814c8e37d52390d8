"""Takes requests in, keeps the ledger, and serves people and programs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import uuid5

import structlog
from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import MailSent, RequestSubmitted, TicketRefused, TicketSubmitted
from contracts.reasons import ReasonCode
from services.request_desk.intake.directory import TriggerDirectory
from services.request_desk.intake.metrics import TriggerMetrics
from services.request_desk.intake.triggers import Publish, Triggers
from services.request_desk.intake.watch import TriggerWatch
from services.request_desk.ledger.settings import LedgerSettings
from services.request_desk.settings import RequestDeskSettings
from shared.bus import Bus, Delivery, Subscription
from shared.errors import MisconfiguredError
from shared.objects import ObjectStore
from shared.service import source_of
from shared.tickets import TooManyMousError, requests_of

if TYPE_CHECKING:
    from services.request_desk.ledger.keeping import Keeping
    from services.request_desk.web.opening import WebDesk
    from shared.archive_db import ArchiveDbSettings

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
    keeping
        Keeps the ledger, if one is kept.
    web
        Serves people and programs, if it is to listen.
    registry
        Where metrics are declared.
    """

    name = NAME

    def __init__(
        self,
        *,
        settings: RequestDeskSettings,
        directory: TriggerDirectory | None = None,
        watch: TriggerWatch | None = None,
        keeping: "Keeping | None" = None,
        web: "WebDesk | None" = None,
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._concurrency = settings.concurrency
        self._directory = directory
        self._watch = watch
        self._keeping = keeping
        self._web = web
        self.registry = registry or CollectorRegistry()

    @property
    def address(self) -> str | None:
        """Where people reach it; None if it serves nobody."""
        return None if self._web is None else self._web.base_url

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

    def oversee(self, bus: Bus) -> None:
        """Begin to take every event into the ledger, and let operators look after the bus."""
        if self._keeping is not None:
            self._keeping.oversee(bus)
        if self._web is not None:
            self._web.oversee(bus)

    def begin(self, publish: Publish) -> None:
        """Begin to watch the trigger files, and for stuck requests, and to serve."""
        if self._keeping is not None:
            self._keeping.begin()
        if self._web is not None:
            self._web.begin(publish)
        if self._watch is not None:
            self._watch.begin(publish)

    def take_up_again(self, publish: Publish) -> int:
        """Send on again what is unfinished, where the bus forgot it; tell of how many requests."""
        return 0 if self._keeping is None else self._keeping.take_up_again(publish)

    def rest(self) -> None:
        """Take no more trigger files and no more calls."""
        if self._web is not None:
            self._web.rest()
        if self._keeping is not None:
            self._keeping.rest()
        if self._watch is not None:
            self._watch.rest()

    def is_ready(self) -> bool:
        """Whether the trigger files can be read and removed, the ledger answers, and calls are answered."""
        parts = [part for part in (self._directory, self._keeping, self._web) if part is not None]
        return all(part.is_ready() for part in parts)

    def close(self) -> None:
        """End the watching, if it has not ended, and close the ledger."""
        self.rest()
        if self._web is not None:
            self._web.close()
        if self._keeping is not None:
            self._keeping.close()


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


def build(
    *,
    objects: ObjectStore,
    settings: RequestDeskSettings | None = None,
    ledger: LedgerSettings | None = None,
    archive: "ArchiveDbSettings | None" = None,
) -> RequestDesk:
    """Make the service with what its settings name.

    Parameters
    ----------
    objects
        The object store.
    settings, ledger, archive
        Settings of the desk, of its ledger and of the archive's database; from the environment if None.
    """
    settings = settings or RequestDeskSettings()
    registry = CollectorRegistry()
    keeping = _keeping(ledger or LedgerSettings(), registry)
    web = _web(settings, objects, keeping, archive)
    if settings.triggers is None:
        return RequestDesk(settings=settings, keeping=keeping, web=web, registry=registry)
    directory = TriggerDirectory(settings.triggers)
    triggers = Triggers(
        directory=directory,
        objects=objects,
        source=source_of(NAME),
        settle=settings.settle_seconds,
        patience=settings.patience_seconds,
        metrics=TriggerMetrics(registry),
    )
    watch = TriggerWatch(
        triggers=triggers,
        root=directory.root,
        watching=settings.watching,
        period=settings.scan_seconds,
        settle=settings.settle_seconds,
    )
    return RequestDesk(settings=settings, directory=directory, watch=watch, keeping=keeping, web=web, registry=registry)


def _keeping(settings: LedgerSettings, registry: CollectorRegistry) -> "Keeping | None":
    """Open the ledger, if one is named; its libraries are needed only then."""
    if settings.url is None:
        return None
    from services.request_desk.ledger.keeping import Keeping, open_ledger

    return Keeping(ledger=open_ledger(settings), registry=registry, interval=settings.look_seconds)


def _web(
    settings: RequestDeskSettings,
    objects: ObjectStore,
    keeping: "Keeping | None",
    archive: "ArchiveDbSettings | None",
) -> "WebDesk | None":
    """Open the web server, if it is to listen; its libraries are needed only then.

    Raises
    ------
    MisconfiguredError
        If there is no ledger that it could show.
    """
    if settings.web.port is None:
        return None
    if keeping is None:
        raise MisconfiguredError(
            "the web server shows what the ledger knows: set ALMA_RESTORE_REQUEST_DESK_LEDGER_URL, "
            "or leave ALMA_RESTORE_REQUEST_DESK_WEB_PORT unset"
        )
    from services.request_desk.web.opening import open_web

    return open_web(settings, objects=objects, ledger=keeping.ledger, archive=archive)
