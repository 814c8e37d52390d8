"""The casa-runner: an ordered restore in, a restored or a failed execution block out."""

import time
from collections.abc import Sequence
from datetime import timedelta
from threading import Event as Flag

import structlog
from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from contracts.messages import RestoreOrdered
from contracts.messages.parts import BlockFailure, RestoredBlock
from services.casa_runner.aside import Aside
from services.casa_runner.errors import CasaAwayError, RestoreInterruptedError
from services.casa_runner.interruption import Interruption
from services.casa_runner.launcher import Launcher
from services.casa_runner.launchers.choice import make_launcher
from services.casa_runner.metrics import RunnerMetrics
from services.casa_runner.restore import Restorer
from services.casa_runner.settings import CasaRunnerSettings
from services.casa_runner.voice import Voice, runner_name
from services.casa_runner.workspace import Workspace
from shared import keys
from shared.bus import Delivery, Subscription
from shared.cancellation import Cancellations
from shared.objects import ObjectStore
from shared.objects.lease import Leases
from shared.outcomes import Outcomes
from shared.service import source_of

NAME = "casa-runner"
log = structlog.get_logger()


class CasaRunner:
    """Restores what is ordered, once per restore key.

    Parameters
    ----------
    settings
        The runner's settings.
    objects
        Where inputs lie and results go.
    workspace
        Working directories of this host.
    launcher
        Starts CASA.
    registry
        Where the runner's metrics are declared; one of its own if None.

    Attributes
    ----------
    registry
        The same, for whoever shows the metrics.
    """

    def __init__(
        self,
        *,
        settings: CasaRunnerSettings,
        objects: ObjectStore,
        workspace: Workspace,
        launcher: Launcher,
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._settings = settings
        self._workspace = workspace
        self._launcher = launcher
        self._outcomes = Outcomes(objects=objects, source=source_of(NAME))
        self._stopping = Flag()
        self._leases = Leases(objects=objects)
        self._cancellations = Cancellations(objects=objects)
        self.registry = registry or CollectorRegistry()
        self._metrics = RunnerMetrics(self.registry, scratch=settings.scratch)
        self._restorer = Restorer(
            settings=settings, objects=objects, workspace=workspace, launcher=launcher, metrics=self._metrics
        )

    @property
    def name(self) -> str:
        """Name of the service and of its queue."""
        return NAME

    def subscriptions(self) -> Sequence[Subscription]:
        """Listen to ordered restores."""
        return [
            Subscription(
                queue=NAME,
                topics=("restore.ordered",),
                handler=self.handle,
                concurrency=self._settings.concurrency,
                longest=self._settings.time_limit,
            )
        ]

    def handle(self, event: Event, delivery: Delivery) -> list[Event]:
        """Restore an execution block, or tell again what became of it."""
        order = event.data
        assert isinstance(order, RestoreOrdered)
        outcome = self._outcomes.find(order.request, order.eb_uid) or self._find(order)
        if outcome is not None:
            self._drop(order)
        else:
            cancelled = Flag()
            with self._cancellations.watching(order.request.request_id, cancelled.set):
                outcome = self._restore_claimed(event, delivery, order, cancelled)
        if outcome is None:
            self._metrics.cancelled()
            log.info("restore_cancelled", consequence="CASA has ended; nothing more is said")
            return []
        return self._outcomes.record(event, order.request, order.structure.execution_blocks, outcome)

    def _drop(self, order: RestoreOrdered) -> None:
        """Make sure that nothing works on for a runner that died with an order which nobody has to work on now."""
        try:
            self._restorer.drop(order)
        except CasaAwayError as error:
            log.warning("orphans_not_ended", cause=str(error), consequence="they end with their time limit")

    def hear(self, event: Event) -> None:
        """End a restore at once whose request is cancelled."""
        self._cancellations.hear(event)

    def _find(self, order: RestoreOrdered) -> RestoredBlock | None:
        found = self._restorer.find(order)
        if found is not None:
            self._metrics.reused(found)
            log.info("found_pre_existing", restore_key=order.restore_key, tar=found.tar.key)
        return found

    def _restore_claimed(
        self, event: Event, delivery: Delivery, order: RestoreOrdered, cancelled: Flag
    ) -> RestoredBlock | BlockFailure | None:
        """Restore with the claim of the restore key, which one runner at a time has; None if it is cancelled.

        Raises
        ------
        LeaseHeldError
            If another runner works on this key; the order is looked at again later.
        LeaseLostError
            If another took over meanwhile: what was made is not used.
        """
        key = keys.product_folder(order.eb_uid, order.restore_key)
        ttl = timedelta(seconds=self._settings.lease)
        with self._leases.held(key, owner=runner_name(), ttl=ttl) as lease:
            if cancelled.is_set():
                self._drop(order)
                return None
            # Who held the claim until now may have just finished.
            if (found := self._find(order)) is not None:
                self._drop(order)
                return found
            interruption = Interruption(
                cancelled=cancelled, lost=delivery.lost, lease_lost=lease.lost, stopping=self._stopping
            )
            try:
                with Aside(publish=delivery.publish) as aside:
                    voice = Voice(
                        event,
                        order,
                        attempt=delivery.attempt,
                        aside=aside,
                        interval=self._settings.progress_interval,
                        source=source_of(self.name),
                    )
                    ended = self._restorer.restore(order, voice=voice, interruption=interruption, check=lease.check)
                interruption.check()
            except RestoreInterruptedError:
                if cancelled.is_set():
                    return None
                raise
            lease.check()
            self._metrics.ended(ended)
            return ended.outcome

    def is_ready(self) -> bool:
        """Whether there is a place to work and a CASA to start."""
        return self._workspace.is_ready() and self._launcher.is_ready()

    def close(self) -> None:
        """End restores that still work; their orders come again."""
        self._stopping.set()


def build(*, objects: ObjectStore, settings: CasaRunnerSettings | None = None) -> CasaRunner:
    """Make the service from its settings, those of the environment if None, and clean up after dead runners."""
    settings = settings or CasaRunnerSettings()
    workspace = Workspace(scratch=settings.scratch, failed_quota=settings.failed_quota)
    launcher = make_launcher(settings.launcher, python=settings.python)
    _clean_up(workspace, launcher, longest=settings.time_limit)
    return CasaRunner(settings=settings, objects=objects, workspace=workspace, launcher=launcher)


def _clean_up(workspace: Workspace, launcher: Launcher, *, longest: float) -> None:
    """End the work of dead runners that cannot be taken up, or was not for too long, then remove its directories.

    Never is one removed from under a CASA that still works.
    """
    oldest = time.time() - longest
    try:
        spared = launcher.end_orphans(workspace.attempts, spare=lambda attempt: attempt.stat().st_mtime > oldest)
    except CasaAwayError as error:
        log.warning("orphans_not_ended", cause=str(error), consequence="their directories stay until the next start")
    else:
        workspace.remove_abandoned(spared=spared)
