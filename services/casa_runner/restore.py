"""Restores one execution block: inputs, CASA, proof, tar. Everything but the messages."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from contracts.messages import RestoreOrdered
from contracts.messages.parts import RestoredBlock
from services.casa_runner.archive import Archive, patiently
from services.casa_runner.expectations import Expectations, PastJob
from services.casa_runner.halves import cut
from services.casa_runner.interruption import Interruption
from services.casa_runner.job import CasaFiles, CasaResult, Described
from services.casa_runner.keeping import Keeper, failure, is_same_casa
from services.casa_runner.launcher import Launcher, MemoryLimitError, Needs, RunningCasa
from services.casa_runner.logs import severe_in, tail_of
from services.casa_runner.metrics import RunnerMetrics
from services.casa_runner.planner import Planner
from services.casa_runner.requested import read_asked
from services.casa_runner.selection import choose
from services.casa_runner.settings import CasaRunnerSettings
from services.casa_runner.source import Source
from services.casa_runner.staging import Inputs
from services.casa_runner.task import Ended, Task
from services.casa_runner.verify import check_files, judge
from services.casa_runner.voice import Voice
from services.casa_runner.watch import Signs, watch
from services.casa_runner.way_by_tasks import REFERENCE_SCRATCH
from services.casa_runner.ways import Way
from services.casa_runner.workspace import Attempt, Workspace, folder_size, room_needed
from shared import tracing
from shared.errors import BlockFailedError
from shared.objects import ObjectStore

# An imported MeasurementSet has 1.45 sizes of an ASDM of 32-bit numbers (measured), up to twice that of 16-bit ones.
_IMPORT_GROWTH = 2.0
log = structlog.get_logger()


class Restorer:
    """Restores execution blocks in working directories of this host."""

    def __init__(
        self,
        *,
        settings: CasaRunnerSettings,
        objects: ObjectStore,
        workspace: Workspace,
        launcher: Launcher,
        metrics: RunnerMetrics,
    ) -> None:
        self._settings = settings
        self._objects = objects
        self._workspace = workspace
        self._launcher = launcher
        self._metrics = metrics
        self._archive = Archive(objects=objects)
        self._keeper = Keeper(archive=self._archive, workspace=workspace, metrics=metrics)
        self._expectations = Expectations(objects=objects)
        self._planner = Planner(settings=settings)

    def find(self, order: RestoreOrdered) -> RestoredBlock | None:
        """Return the result of an earlier restore with the same key."""
        return self._archive.find(order)

    def drop(self, order: RestoreOrdered) -> None:
        """End what still works on an order for a dead runner, and remove its working directory."""
        while True:
            with self._workspace.resumed(_label(order), partial(self._take_up, order)) as found:
                if found is None:
                    return
                found[1].stop()

    def restore(
        self,
        order: RestoreOrdered,
        *,
        voice: Voice,
        interruption: Interruption,
        check: Callable[[], None],
    ) -> Ended:
        """Restore a block and store the result.

        Parameters
        ----------
        voice
            Told each step with its percentage, and what is expected.
        interruption
            Says why the work is to end.
        check
            Called before a result is named; raises if it is not ours to name.

        Returns
        -------
        Ended
            What became of it; a failure says where its working directory and its log are.

        Raises
        ------
        DependencyAwayError
            If it can be done later: no room on the disk, the store is away, or it was interrupted.
        """
        try:
            task = self._planned(order, voice, interruption, check)
        except BlockFailedError as error:
            voice.started()
            return Ended(outcome=failure(order, error))
        voice.started(way=task.way.method, why=task.way.why)
        self._workspace.require_space(self._room(task, task.way.scratch_factor))
        try:
            return self._attempt(task, memory=None)
        except MemoryLimitError as error:
            memory = None if error.limit is None else int(error.limit * self._settings.more_memory)
        return self._attempt(task, memory=memory, last=True)

    def _attempt(self, task: Task, *, memory: int | None, last: bool = False) -> Ended:
        """Restore once, in a working directory of its own; at the last try want of memory is a failure."""
        order, label = task.order, _label(task.order)
        with room_needed(), self._workspace.resumed(label, partial(self._take_up, order)) as found:
            if found is not None:
                attempt, running = found
                files = CasaFiles(attempt, order.eb_uid)
                with self._keeper.log_kept(order, files):
                    return self._finish(task, files, running, last=last or files.last_try.exists())
        with room_needed(), self._workspace.attempt(label) as attempt:
            files = CasaFiles(attempt, order.eb_uid)
            with self._keeper.log_kept(order, files):
                try:
                    if last:
                        files.last_try.touch()
                    running = self._start(task, files, memory)
                except BlockFailedError as error:
                    return self._keeper.keep(task, files, error)
                return self._finish(task, files, running, last=last)

    def _room(self, task: Task, factor: float) -> int:
        """Tell how many bytes have to be free for a way that needs so many sizes of the ASDM."""
        factor = factor if self._settings.disk_factor is None else self._settings.disk_factor
        return self._settings.disk_reserve + int(task.inputs.size * factor)

    def _take_up(self, order: RestoreOrdered, attempt: Attempt) -> RunningCasa | None:
        return self._launcher.take_up(CasaFiles(attempt, order.eb_uid))

    def _start(self, task: Task, files: CasaFiles, memory: int | None) -> RunningCasa:
        """Lay everything out and start CASA."""
        task.voice.progressed("inputs", 0.0)
        way, chosen = task.way, task.chosen
        way.lay_out(task.inputs, files.attempt, limit=self._settings.unpacked_limit)
        files.write(
            selected=chosen.fields,
            rows_by_field=task.promise.rows_by_field,
            only_version=way.casa.only_version,
            transform=chosen.transform,
            spws=chosen.spws,
            halves=self._halves(task, files),
            more={**way.job(files.attempt), "reference_room": self._room(task, REFERENCE_SCRATCH) - task.inputs.size},
        )
        task.interruption.check()
        return self._launcher.start(way.script, files, Needs(casa_version=way.casa.version, memory=memory))

    def _halves(self, task: Task, files: CasaFiles) -> dict[str, Any] | None:
        """Cut a large ASDM in two for a single pass, where a second core is idle."""
        if (
            task.way.method != "single pass"
            or task.inputs.size < self._settings.halves_from
            or self._launcher.cores() < 2  # one core for each half
        ):
            return None
        return cut(files.attempt.working / task.order.eb_uid.file_form, task.chosen)

    def _finish(self, task: Task, files: CasaFiles, running: RunningCasa, *, last: bool) -> Ended:
        """Wait for CASA, and store what it made or why it made nothing."""
        try:
            result, output = self._calibrate(task, files, running)
        except BlockFailedError as error:
            if isinstance(error, MemoryLimitError) and error.limit is not None and not last:
                kept = self._keeper.keep_log(task.order, files, name=files.attempt.name)
                log.warning("restore_lacked_memory", limit=error.limit, log=kept, consequence="it is tried once more")
                raise
            return self._keeper.keep(task, files, error)
        block = patiently(
            lambda: self._keeper.store(task, files, running, result, output), interruption=task.interruption
        )
        return Ended(outcome=block, method=block.method, casa_version=block.casa_version)

    def _planned(
        self, order: RestoreOrdered, voice: Voice, interruption: Interruption, check: Callable[[], None]
    ) -> Task:
        """Find out all that can be known before anything is copied or started, and choose the way."""
        until = time.monotonic() + self._settings.time_limit
        source = Source(self._objects, heed=interruption.check)
        asked = read_asked(source.read(order.ppr.ref), eb_uid=order.eb_uid, session=order.session)
        inputs = Inputs(order, source)
        promise, observed = inputs.described()
        chosen = choose(order.request.selection, observed)
        way = self._planner.plan(asked, order, inputs, observed, chosen)
        return Task(
            order=order,
            inputs=inputs,
            promise=promise,
            observed=observed,
            chosen=chosen,
            way=way,
            voice=voice,
            interruption=interruption,
            check=check,
            until=until,
        )

    def _calibrate(self, task: Task, files: CasaFiles, running: RunningCasa) -> tuple[CasaResult, Described]:
        """Wait for CASA and prove what it made."""
        order, promise, chosen, way = task.order, task.promise, task.chosen, task.way
        selected = chosen.fields
        size = promise.share(task.inputs.size, selected) if way.method == "single pass" else task.inputs.size
        begun = time.monotonic()
        with tracing.calling(
            "CASA", {"alma_restore.casa.version": str(way.casa.version), "alma_restore.way": way.method}
        ):
            status = self._watch(task, files, running, size)
        seconds = time.monotonic() - begun
        result = self._result(files, way)
        output = judge(
            status,
            result,
            promise=promise,
            selected=selected,
            partly=bool(chosen.spws) or not way.makes_all,
            averaged_in_time=chosen.in_time,
            printed=tail_of(files.printed),
            severe=severe_in(files, method=way.method, harmless=self._settings.harmless),
            disk_is_full=self._workspace.free < self._settings.disk_reserve // 10,
        )
        check_files(files.output)
        if not is_same_casa(result.casa_version, order.casa_version):
            log.info("casa_version_differs", here=result.casa_version, calibrated_with=order.casa_version)
        self._learn(way, result, PastJob(size=size, seconds=seconds, written=folder_size(files.output)))
        return result, output

    def _watch(self, task: Task, files: CasaFiles, running: RunningCasa, size: int) -> int:
        expected = self._expectations.of(method=task.way.method, version=task.way.casa.version, size=size)
        task.voice.expects(expected.seconds if expected else None)
        signs = Signs(
            progress=files.progress,
            logs=(files.log, files.printed, files.shell_log),
            application_log=files.shell_log,
            working=files.attempt.working,
            imported=files.attempt.working / files.vis,
            expected_import=int(task.inputs.size * _IMPORT_GROWTH),
            output=files.output,
            expected_output=expected.written if expected else None,
        )
        return watch(
            running,
            signs,
            on_progress=task.voice.progressed,
            interruption=task.interruption,
            time_limit=max(0.0, task.until - time.monotonic()),
            hang_limit=self._settings.hang_limit,
        )

    def _result(self, files: CasaFiles, way: Way) -> CasaResult:
        """Read CASA's last word, and add why it was not a single pass."""
        result = files.read_result()
        rule = result.rule or way.why
        if rule is not None:
            self._metrics.rules.labels(rule.partition(":")[0]).inc()
            log.info("other_way_taken", way=result.method, rule=rule)
        return result.model_copy(update={"rule": rule})

    def _learn(self, way: Way, result: CasaResult, job: PastJob) -> None:
        """Remember what it took under the version that will be asked for: scripts name none so exactly as CASA."""
        method, version = result.method or "unknown", way.casa.version or result.casa_version or "unknown"
        self._expectations.learn(job, method=method, version=version)
        self._metrics.seconds.labels(method).observe(job.seconds)


def _label(order: RestoreOrdered) -> str:
    """Name attempts so that the next runner finds those of the same restore."""
    return f"{order.eb_uid.file_form}-{order.restore_key[:16]}"
