"""Make the deliveries of a desk: what shows and serves them, and what looks after them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from contracts.identifiers import EntityUid
from services.request_desk.deliveries.desk import StoreDeliveries
from services.request_desk.deliveries.expirer import Expirer
from services.request_desk.deliveries.idle import Retention, Work
from services.request_desk.deliveries.life import Terms
from services.request_desk.deliveries.register import Register
from services.request_desk.deliveries.release import ArchiveRelease, Release, Unchecked
from services.request_desk.deliveries.saying import Voice
from services.request_desk.deliveries.settings import DeliveriesSettings
from services.request_desk.deliveries.units import Kind
from services.request_desk.deliveries.watch import DeliveryWatch
from services.request_desk.ledger.base import Ledger
from services.request_desk.ledger.records import Page, RequestFilter
from shared.entitlement.records import EntitlementRecords
from shared.objects import ObjectStore

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class DeliveryDesk:
    """The deliveries of a desk.

    Attributes
    ----------
    deliveries
        For the web application: `routes.deliveries_router` serves their files.
    watch
        Begins and rests with the service (`begin`, `rest`).
    expirer
        Does single rounds, and foretells them.
    voice
        Says what follows from rounds; `watch` lets it begin.
    """

    deliveries: StoreDeliveries
    watch: DeliveryWatch
    expirer: Expirer
    voice: Voice


def _now() -> datetime:
    return datetime.now(UTC)


def open_deliveries(
    *,
    objects: ObjectStore,
    ledger: Ledger,
    records: EntitlementRecords | None,
    settings: DeliveriesSettings | None = None,
    address: str | None = None,
    clock: Callable[[], datetime] = _now,
) -> DeliveryDesk:
    """Make the deliveries from their settings.

    Parameters
    ----------
    objects
        The store.
    ledger
        Tells what is under way, and counts downloads.
    records
        The archive's tables, which are asked at each start of a download; None if this desk cannot read them.
    settings
        From the environment if None.
    address
        Where this desk serves deliveries (``https://restore.example.org/deliveries``), if users
        were told another address: that of a web server of its own.
    clock
        Tells the time, UTC.
    """
    settings = settings or DeliveriesSettings()
    register = Register(objects=objects, area=settings.area)
    voice = Voice(register=register)
    terms = terms_of(settings)
    expirer = Expirer(
        objects=objects,
        register=register,
        voice=voice,
        work=lambda: work_of(ledger),
        terms=terms,
        retention=retention_of(settings),
        clock=clock,
    )
    watch = DeliveryWatch(
        register=register, voice=voice, expirer=expirer if settings.expire else None, period=settings.round_seconds
    )
    deliveries = StoreDeliveries(
        objects=objects,
        register=register,
        release=_release(settings, records, clock),
        terms=terms,
        link=timedelta(seconds=settings.link_seconds) if settings.way == "link" else None,
        clock=clock,
        note=ledger.note_download,
        nudge=watch.nudge,
        address=address,
    )
    return DeliveryDesk(deliveries=deliveries, watch=watch, expirer=expirer, voice=voice)


def terms_of(settings: DeliveriesSettings) -> Terms:
    """Tell how long deliveries are kept."""
    return Terms(
        retention=timedelta(days=settings.retention_days),
        longest=timedelta(days=settings.longest_days),
        reminder=timedelta(days=settings.reminder_days),
    )


def retention_of(settings: DeliveriesSettings) -> Retention:
    """Tell how long is kept what nobody uses."""
    product, staged = timedelta(days=settings.product_days), timedelta(days=settings.staged_days)
    return Retention(
        kinds={
            Kind.PRODUCT: product,
            Kind.ASDM: staged,
            Kind.CALIBRATION: staged,
            Kind.PPR: staged,
            Kind.LOGS: timedelta(days=settings.log_days),
        },
        unfinished=timedelta(days=settings.failed_days),
        grace=timedelta(seconds=settings.grace_seconds),
    )


def work_of(ledger: Ledger) -> Work:
    """Tell the requests that are under way, as the ledger knows them."""
    requests: set[str] = set()
    blocks: set[str] = set()
    mous: set[str] = set()
    cursor, more = None, True
    while more:
        page = ledger.requests(RequestFilter(active=True), Page(size=1000, cursor=cursor))
        for request in page.requests:
            requests.add(str(request.id))
            blocks |= {EntityUid(block.eb_uid).file_form for block in request.blocks}
            mous |= {EntityUid(request.mous).file_form} if request.mous else set()
        cursor, more = page.next_cursor, page.next_cursor is not None
    return Work(requests=frozenset(requests), blocks=frozenset(blocks), mous=frozenset(mous))


def _release(
    settings: DeliveriesSettings, records: EntitlementRecords | None, clock: Callable[[], datetime]
) -> Release:
    if records is None:
        log.warning(
            "downloads_are_not_checked_against_the_archive",
            consequence="a delivery is handed out until it expires, even if a release date is moved or QA3 begins",
            to_do="set ALMA_RESTORE_REQUEST_DESK_ARCHIVE=true and ALMA_RESTORE_ARCHIVE_DB_URL",
        )
        return Unchecked()
    return ArchiveRelease(
        records=records,
        clock=clock,
        fresh=timedelta(seconds=settings.release_seconds),
        patience=timedelta(seconds=settings.release_patience_seconds),
    )
