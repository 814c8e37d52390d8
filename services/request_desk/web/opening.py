"""Open the web server of a desk, with all that it stands on, and let it begin and rest with the service."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from contracts.envelope import Event
from services.request_desk.deliveries.opening import DeliveryDesk, open_deliveries
from services.request_desk.deliveries.settings import DeliveriesSettings
from services.request_desk.ledger.base import Ledger
from services.request_desk.settings import RequestDeskSettings
from services.request_desk.web.app import create_app
from services.request_desk.web.foretelling import ArchiveForeteller
from services.request_desk.web.parts import Parts, make_parts
from services.request_desk.web.server import WebServer, base_url_of, bind
from services.request_desk.web.settings import LocalSignIn, WebSettings
from shared.archive_db import ArchiveDatabase, ArchiveDbSettings
from shared.bus import Bus
from shared.casa_catalogue import CasaCatalogue, CasaCatalogueSettings, open_catalogue
from shared.entitlement.delegees import QueriedDelegees
from shared.entitlement.records import ArchiveRecords, EntitlementRecords
from shared.objects import ObjectStore

log = structlog.get_logger()

Publish = Callable[[Sequence[Event]], None]


@dataclass(frozen=True, kw_only=True)
class WebAdapters:
    """What the web server is given by the desk.

    Attributes
    ----------
    records
        The archive's tables; None if this desk does not read them.
    deliveries
        Settings of the deliveries.
    """

    objects: ObjectStore
    ledger: Ledger
    catalogue: CasaCatalogue
    deliveries: DeliveriesSettings
    records: EntitlementRecords | None = None


class WebDesk:
    """The web server of a desk, and the deliveries that it serves.

    Parameters
    ----------
    settings
        Where it listens.
    adapters
        What it stands on.
    """

    def __init__(self, *, settings: WebSettings, adapters: WebAdapters) -> None:
        self._settings = settings
        self._adapters = adapters
        self._listening = bind(settings)
        self.base_url = base_url_of(settings, self._listening)
        self._deliveries = self._open_deliveries()
        self._bus: Bus | None = None
        self._parts: Parts | None = None
        self._server: WebServer | None = None

    def oversee(self, bus: Bus) -> None:
        """Take the bus, for operators."""
        self._bus = bus

    def begin(self, publish: Publish) -> None:
        """Begin to serve, and to look after the deliveries."""
        self._parts = self._make_parts(publish)
        app = create_app(parts=self._parts)
        self._server = WebServer(app=app, listening=self._listening, settings=self._settings)
        self._server.begin()
        self._deliveries.watch.begin(publish)
        log.info("web_server_began", address=self.base_url)
        if isinstance(self._settings.sign_in, LocalSignIn) and self._settings.sign_in.key is None:
            # Whoever reads this log may sign in: that is what the key is for.
            log.info("local_sign_in", address=f"{self.base_url}/sign-in?key={app.state.door.local_key}")

    def rest(self) -> None:
        """Answer no more calls, and look after nothing."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._deliveries.watch.rest()

    def is_ready(self) -> bool:
        """Whether calls are answered."""
        return self._server is not None and self._server.is_serving

    def close(self) -> None:
        """Release what is held."""
        self.rest()
        self._listening.close()
        if self._parts is not None:
            self._parts.close()
        if self._adapters.records is not None:
            self._adapters.records.close()

    def _open_deliveries(self) -> DeliveryDesk:
        given = self._adapters
        return open_deliveries(
            objects=given.objects,
            ledger=given.ledger,
            records=given.records,
            settings=given.deliveries,
            address=f"{self.base_url}/deliveries",
        )

    def _make_parts(self, publish: Publish) -> Parts:
        given = self._adapters
        foreteller = None
        if given.records is not None:
            foreteller = ArchiveForeteller(records=given.records, ledger=given.ledger, clock=_now)
        return make_parts(
            settings=self._settings,
            base_url=self.base_url,
            ledger=given.ledger,
            objects=given.objects,
            publish=publish,
            bus=self._bus,
            deliveries=self._deliveries.deliveries,
            foreteller=foreteller,
            catalogue=given.catalogue,
        )


def open_web(
    settings: RequestDeskSettings, *, objects: ObjectStore, ledger: Ledger, archive: ArchiveDbSettings | None = None
) -> WebDesk:
    """Open the web server that settings ask for.

    Parameters
    ----------
    archive
        The archive's database, if settings ask for it; from the environment if None.

    Raises
    ------
    MisconfiguredError
        If the port cannot be listened on, or downloads are to be checked and the archive cannot be read.
    """
    adapters = WebAdapters(
        objects=objects,
        ledger=ledger,
        catalogue=open_catalogue(CasaCatalogueSettings()),
        deliveries=settings.deliveries,
        records=_records(settings, archive or ArchiveDbSettings()) if settings.archive else None,
    )
    return WebDesk(settings=settings.web, adapters=adapters)


def _records(settings: RequestDeskSettings, archive: ArchiveDbSettings) -> ArchiveRecords:
    """Open the archive's tables, to be read as the entitlement checker reads them."""
    database = ArchiveDatabase(settings=archive)
    return ArchiveRecords(
        database=database,
        delivery_column=settings.delivery_column,
        delegees=QueriedDelegees(database=database, query=settings.delegee_query),
    )


def _now() -> datetime:
    return datetime.now(UTC)
