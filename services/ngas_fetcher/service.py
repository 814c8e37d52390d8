"""The service: structure.resolved in, artefacts.staged out, one per execution block as soon as it is whole."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from prometheus_client import CollectorRegistry
from structlog.contextvars import bound_contextvars

from contracts.envelope import Event
from contracts.messages import ArtefactsStaged, StructureResolved
from contracts.messages.parts import BlockFailure, Stage
from services.ngas_fetcher.adapters import client_of, fetcher_of, patience_of, source_of_asdms
from services.ngas_fetcher.blocks import Block, side_by_side
from services.ngas_fetcher.claims import Claims
from services.ngas_fetcher.client import NgasClient
from services.ngas_fetcher.errors import FetchAbandonedError
from services.ngas_fetcher.fetcher import FileFetcher
from services.ngas_fetcher.locator import Source
from services.ngas_fetcher.metrics import FetchMetrics
from services.ngas_fetcher.parallel import run_all
from services.ngas_fetcher.pool import Group, Job, TransferPool
from services.ngas_fetcher.product_shelf import ProductShelf
from services.ngas_fetcher.products import ProductLocator, needed_products
from services.ngas_fetcher.progress import ProgressTeller
from services.ngas_fetcher.settings import NgasFetcherSettings
from services.ngas_fetcher.staging import AsdmStaging
from services.ngas_fetcher.stop import Stop
from services.ngas_fetcher.unpacked import sweep_unpacked
from shared.bus import Delivery, Subscription
from shared.cancellation import Cancellations
from shared.errors import BlockFailedError, DependencyAwayError, RestoreError
from shared.objects import ObjectStore
from shared.objects.lease import LeaseHeldError, LeaseLostError
from shared.outcomes import Outcomes
from shared.service import source_of

log = structlog.get_logger()
NAME = "ngas-fetcher"
SOURCE = source_of(NAME)

_Outcome = ArtefactsStaged | BlockFailure | None


@dataclass(frozen=True, kw_only=True)
class _Handling:
    """One event while it is handled."""

    event: Event
    message: StructureResolved
    delivery: Delivery
    group: Group
    shelf: ProductShelf
    teller: ProgressTeller
    cancelled: Stop


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
    fetcher
        Fetches single files into the store.
    source
        Has ASDMs, or knows where their files are.
    registry
        Where the service's own metrics are declared.

    Attributes
    ----------
    registry
        Where the service's own metrics are declared.
    """

    def __init__(
        self,
        *,
        settings: NgasFetcherSettings,
        objects: ObjectStore,
        client: NgasClient,
        fetcher: FileFetcher,
        source: Source,
        registry: CollectorRegistry,
    ) -> None:
        self.registry = registry
        self._settings = settings
        self._objects = objects
        self._client = client
        self._fetcher = fetcher
        self._source = source
        self._outcomes = Outcomes(objects=objects, source=SOURCE)
        self._cancellations = Cancellations(objects=objects)
        self._pool = TransferPool(
            threads=settings.transfers,
            hosts=client.hosts,
            memory=settings.memory,
            requests=min(settings.concurrency, settings.transfers),
        )
        self._products = ProductLocator(client=client, hosts=settings.hosts, patience=patience_of(settings))
        self._claims = Claims(objects=objects, ttl=timedelta(seconds=settings.claim_seconds))
        interval, claims = settings.progress_interval, self._claims
        self._staging = AsdmStaging(objects=objects, fetcher=fetcher, interval=interval, claims=claims)

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
                longest=self._settings.longest,
            ),
        )

    def hear(self, event: Event) -> None:
        """Stop the transfers of a request that is cancelled."""
        self._cancellations.hear(event)

    def handle(self, event: Event, delivery: Delivery) -> list[Event]:
        """Stage the execution blocks of a MOUS, several side by side; say each at once when it is whole.

        A block that waits for a server does not hold up the others; the event is tried again for it at the end.
        Of a cancelled request nothing more is said.
        """
        message = event.data
        assert isinstance(message, StructureResolved)
        cancelled = Stop()
        with self._pool.group() as group, self._cancellations.watching(message.request.request_id, cancelled.tell):
            handling = _Handling(
                event=event,
                message=message,
                delivery=delivery,
                group=group,
                shelf=ProductShelf(
                    mous_uid=message.structure.mous_uid,
                    locator=self._products,
                    fetcher=self._fetcher,
                    claims=self._claims,
                ),
                teller=ProgressTeller(
                    event=event,
                    delivery=delivery,
                    source=SOURCE,
                    interval=self._settings.progress_interval,
                    pause=cancelled.wait,
                ),
                cancelled=cancelled,
            )
            try:
                self._stage_all(handling)
            except FetchAbandonedError:
                if not cancelled.is_told:
                    raise
                log.info("request_cancelled", consequence="its transfers have ended, what is whole stays in the store")
        return []

    def tidy(self, older_than: timedelta) -> int:
        """Remove what killed attempts to unpack an ASDM left, where nobody has been at it for so long."""
        return sweep_unpacked(self._objects, is_dead=partial(self._claims.is_over, since=older_than))

    def is_ready(self) -> bool:
        """Whether any of the configured NGAS servers is online."""
        return any(self._client.is_online(host) for host in self._settings.hosts)

    def close(self) -> None:
        """Release connections and threads."""
        self._pool.close()

    def _stage_all(self, handling: _Handling) -> None:
        away, given_up = list[RestoreError](), list[Exception]()

        def ended(block: Block, staging: Future[_Outcome]) -> None:
            with bound_contextvars(eb_uid=block.eb_uid):
                try:
                    self._say(handling, block, staging.result())
                except (DependencyAwayError, LeaseHeldError, LeaseLostError) as error:
                    log.warning("block_waits", error=str(error), code=error.code)
                    away.append(error)
                except FetchAbandonedError:
                    raise
                except Exception as error:  # whatever it is, it is of this block; it is raised once the others are done
                    log.warning("block_given_up", error=str(error), consequence="a dead letter, after the other blocks")
                    given_up.append(error)

        side_by_side(
            [Block(eb_uid=eb_uid) for eb_uid in handling.message.structure.execution_blocks],
            partial(self._outcome_of, handling),
            at_a_time=self._settings.blocks,
            interval=self._settings.progress_interval,
            ended=ended,
            tick=handling.teller.tell_one_of,
        )
        # Who waits is tried again, and only after that a person has to look.
        for problem in (*away, *given_up):
            raise problem

    def _check_wanted(self, handling: _Handling) -> None:
        """Raise `FetchAbandonedError` if somebody else has the delivery, or the request is cancelled."""
        if handling.delivery.lost.is_set():
            raise FetchAbandonedError(
                "The broker gave this delivery to somebody else; what is fetched stays in the store"
            )
        if self._cancellations.is_marked(handling.message.request.request_id):
            handling.cancelled.tell()
        handling.cancelled.check()

    def _outcome_of(self, handling: _Handling, block: Block) -> _Outcome:
        """Stage a block, and tell what is to be said of it: None if others have said it."""
        with bound_contextvars(eb_uid=block.eb_uid):
            self._check_wanted(handling)
            outcome = self._outcomes.find(handling.message.request, block.eb_uid)
            if outcome is not None:
                return outcome if isinstance(outcome, BlockFailure) and outcome.stage is Stage.FETCH else None
            try:
                return self._stage(handling, block)
            except BlockFailedError as error:
                log.error("block_failed", reason=error.reason, detail=error.detail)  # noqa: TRY400  # no traceback wanted
                return BlockFailure(eb_uid=block.eb_uid, stage=Stage.FETCH, reason=error.reason, detail=error.detail)

    def _say(self, handling: _Handling, block: Block, outcome: _Outcome) -> None:
        """Publish what became of a block, after the last word on its progress; a failure is told again if it was."""
        message, events = handling.message, list[Event]()
        if isinstance(outcome, ArtefactsStaged):
            handling.teller.tell_last(block)
            events = [handling.event.derive(outcome, source=SOURCE, key=block.eb_uid)]
        elif outcome is not None:
            blocks = message.structure.execution_blocks
            events = self._outcomes.record(handling.event, message.request, blocks, outcome)
        if events:
            handling.delivery.publish(events)

    def _stage(self, handling: _Handling, block: Block) -> ArtefactsStaged:
        """Bring the products, which are small and may be missing, then the ASDM; who waits hears of a cancellation."""
        message, stop, interval = handling.message, block.stop, self._settings.progress_interval

        def stop_if_lost() -> None:
            if handling.delivery.lost.is_set():
                stop.tell()

        with handling.cancelled.calling(stop.tell):
            run = partial(run_all, handling.group, stop=stop, interval=interval, tick=stop_if_lost)
            products = handling.shelf.stage(needed_products(message.structure, block.eb_uid), stop, run)
            (holding,) = run([Job(work=partial(self._source.locate, block.eb_uid))])

            def tick() -> None:
                stop_if_lost()
                block.holding = holding

            asdm = self._staging.stage(holding, handling.group, stop=stop, progress=block.progress, tick=tick)
        return ArtefactsStaged(
            request=message.request,
            structure=message.structure,
            eb_uid=block.eb_uid,
            asdm=asdm.manifest,
            products=products.refs,
            lacking=products.lacking,
            reused=asdm.reused and not products.fetched,
        )


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
    client = client_of(settings)
    registry = CollectorRegistry()
    metrics = FetchMetrics(registry)
    metrics.expect(settings.hosts)
    fetcher = fetcher_of(settings, client, objects, metrics=metrics)
    return NgasFetcher(
        settings=settings,
        objects=objects,
        client=client,
        fetcher=fetcher,
        source=source_of_asdms(settings, fetcher),
        registry=registry,
    )
