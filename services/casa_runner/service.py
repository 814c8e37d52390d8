"""The casa-runner: an ordered restore in, a restored or a failed execution block out."""

import os
import socket
import time
from collections.abc import Sequence
from threading import Event as Flag

import structlog

from contracts.envelope import Event
from contracts.messages import RestoreOrdered, RestoreProgressed, RestoreStarted
from services.casa_runner.errors import CasaAwayError, RestoreInterruptedError
from services.casa_runner.launcher import Launcher
from services.casa_runner.launchers.choice import make_launcher
from services.casa_runner.restore import Restorer
from services.casa_runner.settings import CasaRunnerSettings
from services.casa_runner.workspace import Workspace
from shared.bus import Delivery, Subscription
from shared.errors import DependencyAwayError
from shared.objects import ObjectStore
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
    """

    def __init__(
        self, *, settings: CasaRunnerSettings, objects: ObjectStore, workspace: Workspace, launcher: Launcher
    ) -> None:
        self._settings = settings
        self._workspace = workspace
        self._launcher = launcher
        self._outcomes = Outcomes(objects=objects, source=source_of(NAME))
        self._restorer = Restorer(settings=settings, objects=objects, workspace=workspace, launcher=launcher)
        self._stopping = Flag()

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
        outcome = self._outcomes.find(order.request, order.eb_uid)
        if outcome is None and (outcome := self._restorer.find(order)) is not None:
            log.info("found_pre_existing", restore_key=order.restore_key, tar=outcome.tar.key)
        if outcome is None:
            voice = _Voice(event, delivery, order, interval=self._settings.progress_interval)
            voice.started()
            outcome = self._restorer.restore(
                order,
                on_progress=voice.progressed,
                interrupted=lambda: self._interruption(delivery),
                pause=self._stopping.wait,
            )
            if cause := self._interruption(delivery):
                raise RestoreInterruptedError(f"the outcome is not said: {cause}")
        return self._outcomes.record(event, order.request, order.structure.execution_blocks, outcome)

    def _interruption(self, delivery: Delivery) -> str | None:
        if delivery.lost.is_set():
            return "the broker took the order back and gives it to another runner"
        return "the runner stops" if self._stopping.is_set() else None

    def is_ready(self) -> bool:
        """Whether there is a place to work and a CASA to start."""
        return self._workspace.is_ready() and self._launcher.is_ready()

    def close(self) -> None:
        """End restores that still work; their orders come again."""
        self._stopping.set()


class _Voice:
    """Says that a restore began and how far it is, at most once per interval."""

    def __init__(self, event: Event, delivery: Delivery, order: RestoreOrdered, *, interval: float) -> None:
        self._event = event
        self._delivery = delivery
        self._order = order
        self._interval = interval
        self._said_at = -interval

    def started(self) -> None:
        runner = f"{socket.gethostname()}:{os.getpid()}"
        self._say(RestoreStarted(**self._whose(), runner=runner, attempt=self._delivery.attempt), "started")

    def progressed(self, step: str, percent: float) -> None:
        now = time.monotonic()
        if now - self._said_at < self._interval:
            return
        self._said_at = now
        self._say(RestoreProgressed(**self._whose(), step=step, percent=percent), f"{step}/{percent}")

    def _whose(self) -> dict[str, object]:
        request = self._order.request
        return {"request_id": request.request_id, "mous_uid": request.mous_uid, "eb_uid": self._order.eb_uid}

    def _say(self, message: RestoreStarted | RestoreProgressed, what: str) -> None:
        key = f"{self._order.eb_uid}/{self._delivery.attempt}/{what}"
        try:
            self._delivery.publish([self._event.derive(message, source=source_of(NAME), key=key)])
        except DependencyAwayError as error:
            # Nobody's work depends on a word of progress; the outcome is published with confirms.
            log.warning("progress_unsaid", cause=str(error))


def build(*, objects: ObjectStore, settings: CasaRunnerSettings | None = None) -> CasaRunner:
    """Make the service from its settings, those of the environment if None, and clean up after dead runners."""
    settings = settings or CasaRunnerSettings()
    workspace = Workspace(scratch=settings.scratch, keep_failed=settings.keep_failed)
    launcher = make_launcher(settings.launcher, python=settings.python)
    _clean_up(workspace, launcher)
    return CasaRunner(settings=settings, objects=objects, workspace=workspace, launcher=launcher)


def _clean_up(workspace: Workspace, launcher: Launcher) -> None:
    """End the work of dead runners, then remove its directories: never from under a CASA that still works."""
    try:
        launcher.end_orphans(workspace.attempts)
    except CasaAwayError as error:
        log.warning("orphans_not_ended", cause=str(error), consequence="their directories stay until the next start")
    else:
        workspace.remove_abandoned()
