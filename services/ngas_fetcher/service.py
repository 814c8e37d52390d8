"""The service: structure.resolved in, artefacts.staged out, one per execution block as soon as it is whole."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
from structlog.contextvars import bound_contextvars

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid
from contracts.messages import ArtefactsStaged, StructureResolved
from contracts.messages.parts import BlockFailure, Stage
from services.ngas_fetcher.client import NgasClient
from services.ngas_fetcher.errors import FetchAbandonedError
from services.ngas_fetcher.fetcher import FileFetcher
from services.ngas_fetcher.locator import LocationReports, Locator
from services.ngas_fetcher.parallel import run_all
from services.ngas_fetcher.patience import Patience, Stop
from services.ngas_fetcher.products import ProductLocator, ProductShelf, needed_products
from services.ngas_fetcher.progress import Progress, ProgressTeller
from services.ngas_fetcher.settings import NgasFetcherSettings
from services.ngas_fetcher.staging import AsdmStaging
from shared.bus import Delivery, Subscription
from shared.errors import BlockFailedError, DependencyAwayError
from shared.objects import ObjectStore
from shared.outcomes import Outcomes
from shared.service import source_of

log = structlog.get_logger()
NAME = "ngas-fetcher"
SOURCE = source_of(NAME)


class NgasFetcher:
    """Stages what a restore needs: ASDMs and calibration products.

    Parameters
    ----------
    settings
        The service's settings.
    objects
        The object store.
    client
        Speaks to NGAS servers.
    locator
        Knows where the files of execution blocks are.
    """

    def __init__(
        self, *, settings: NgasFetcherSettings, objects: ObjectStore, client: NgasClient, locator: Locator
    ) -> None:
        patience = Patience(attempts=settings.attempts, backoff=settings.backoff, limit=settings.backoff_limit)
        self._settings = settings
        self._client = client
        self._locator = locator
        self._outcomes = Outcomes(objects=objects, source=SOURCE)
        self._executor = ThreadPoolExecutor(max_workers=settings.transfers, thread_name_prefix="transfer")
        self._fetcher = FileFetcher(client=client, objects=objects, patience=patience)
        self._products = ProductLocator(client=client, hosts=settings.hosts, patience=patience)
        self._staging = AsdmStaging(
            objects=objects,
            fetcher=self._fetcher,
            executor=self._executor,
            interval=settings.progress_interval,
        )

    @property
    def name(self) -> str:
        """Name of the service and its queue."""
        return NAME

    def subscriptions(self) -> Sequence[Subscription]:
        """Listen to resolved structures."""
        return (
            Subscription(
                queue=NAME,
                topics=(StructureResolved.topic,),
                handler=self.handle,
                concurrency=self._settings.concurrency,
            ),
        )

    def handle(self, event: Event, delivery: Delivery) -> list[Event]:
        """Stage every execution block of a MOUS, in order; say each at once when it is whole.

        A block that waits for a server does not hold up the next ones; the event is tried again for it at the end.
        """
        message = event.data
        assert isinstance(message, StructureResolved)
        shelf = ProductShelf(mous_uid=message.structure.mous_uid, locator=self._products, fetcher=self._fetcher)
        teller = ProgressTeller(
            event=event, delivery=delivery, source=SOURCE, interval=self._settings.progress_interval
        )
        away: list[DependencyAwayError] = []
        for eb_uid in message.structure.execution_blocks:
            _stop_if_lost(delivery)
            with bound_contextvars(eb_uid=eb_uid):
                try:
                    if events := self._events_of_block(event, message, eb_uid, shelf, teller, delivery):
                        delivery.publish(events)
                except DependencyAwayError as error:
                    log.warning("block_waits", error=str(error), code=error.code)
                    away.append(error)
        if away:
            raise away[0]
        return []

    def is_ready(self) -> bool:
        """Whether any of the configured NGAS servers is online."""
        return any(self._client.is_online(host) for host in self._settings.hosts)

    def close(self) -> None:
        """Release connections and threads."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._client.close()

    def _events_of_block(
        self,
        event: Event,
        message: StructureResolved,
        eb_uid: ExecBlockUid,
        shelf: ProductShelf,
        teller: ProgressTeller,
        delivery: Delivery,
    ) -> Sequence[Event]:
        """Stage a block and return what is to be said of it; repeat what was said if it failed here before."""
        request, blocks = message.request, message.structure.execution_blocks
        outcome = self._outcomes.find(request, eb_uid)
        if outcome is None:
            try:
                staged = self._stage(message, eb_uid, shelf, teller, delivery)
                return [event.derive(staged, source=SOURCE, key=eb_uid)]
            except BlockFailedError as error:
                log.error("block_failed", reason=error.reason, detail=error.detail)  # noqa: TRY400  # no traceback wanted
                outcome = BlockFailure(eb_uid=eb_uid, stage=Stage.FETCH, reason=error.reason, detail=error.detail)
        elif not (isinstance(outcome, BlockFailure) and outcome.stage is Stage.FETCH):
            return []
        return self._outcomes.record(event, request, blocks, outcome)

    def _stage(
        self,
        message: StructureResolved,
        eb_uid: ExecBlockUid,
        shelf: ProductShelf,
        teller: ProgressTeller,
        delivery: Delivery,
    ) -> ArtefactsStaged:
        """Bring the products, which are small and may be missing, then the ASDM."""
        stop, progress = Stop(), Progress()
        location = self._locator.locate(eb_uid)
        fetched_before = shelf.fetched

        def tick() -> None:
            if delivery.lost.is_set():
                stop.tell()
            teller.tell(location, progress.snapshot())

        products = run_all(
            self._executor,
            shelf.jobs(needed_products(message.structure, eb_uid), stop),
            stop=stop,
            interval=self._settings.progress_interval,
            tick=lambda: stop.tell() if delivery.lost.is_set() else None,
        )
        asdm = self._staging.stage(location, stop=stop, progress=progress, tick=tick)
        if not asdm.reused:
            teller.tell(location, progress.snapshot(), last=True)
        return ArtefactsStaged(
            request=message.request,
            structure=message.structure,
            eb_uid=eb_uid,
            asdm=asdm.manifest,
            products=tuple(products),
            reused=asdm.reused and shelf.fetched == fetched_before,
        )


def _stop_if_lost(delivery: Delivery) -> None:
    if delivery.lost.is_set():
        raise FetchAbandonedError("The broker gave this delivery to somebody else; what is fetched stays in the store")


def build(*, objects: ObjectStore, settings: NgasFetcherSettings | None = None) -> NgasFetcher:
    """Make the service with its adapters.

    Parameters
    ----------
    objects
        The object store.
    settings
        The settings; from the environment if None.
    """
    settings = settings or NgasFetcherSettings()
    credentials = (settings.user, settings.password.get_secret_value()) if settings.user else None
    client = NgasClient(
        known_hosts=(*settings.hosts, *settings.allowed_hosts),
        credentials=credentials,
        connect_timeout=settings.connect_timeout,
        stall_timeout=settings.stall_timeout,
    )
    locator = LocationReports(directory=settings.location_directory)
    return NgasFetcher(settings=settings, objects=objects, client=client, locator=locator)
