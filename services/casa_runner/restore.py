"""Restores one execution block: inputs, CASA, proof, tar. Everything but the messages."""

import errno
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

import structlog

from contracts.messages import RestoreOrdered
from contracts.messages.parts import BlockFailure, RestoredBlock, Stage
from contracts.reasons import ReasonCode
from services.casa_runner.archive import Archive
from services.casa_runner.asdm import AsdmPromise, check_selection
from services.casa_runner.errors import ScratchFullError
from services.casa_runner.job import REFERENCE_SCRIPT, CasaFiles, CasaResult, Described
from services.casa_runner.launcher import Launcher
from services.casa_runner.ppr import check_ppr, read_ppr
from services.casa_runner.products import calls_needed
from services.casa_runner.settings import CasaRunnerSettings
from services.casa_runner.staging import Inputs
from services.casa_runner.verify import check_files, judge, severe_lines
from services.casa_runner.watch import watch
from services.casa_runner.workspace import Workspace
from shared.errors import BlockFailedError, DependencyAwayError
from shared.objects import ObjectStore

log = structlog.get_logger()

METHOD = "reference"
_TAIL_BYTES = 64 * 2**10
_STORE_DELAYS = (1.0, 5.0, 15.0, 60.0, 120.0, 300.0)


class Restorer:
    """Restores execution blocks in working directories of this host."""

    def __init__(
        self, *, settings: CasaRunnerSettings, objects: ObjectStore, workspace: Workspace, launcher: Launcher
    ) -> None:
        self._settings = settings
        self._objects = objects
        self._workspace = workspace
        self._launcher = launcher
        self._archive = Archive(objects=objects)

    def find(self, order: RestoreOrdered) -> RestoredBlock | None:
        """Return the result of an earlier restore with the same key."""
        return self._archive.find(order)

    def restore(
        self,
        order: RestoreOrdered,
        *,
        on_progress: Callable[[str, float], None],
        interrupted: Callable[[], str | None],
        pause: Callable[[float], object],
    ) -> RestoredBlock | BlockFailure:
        """Restore a block and store the result.

        Parameters
        ----------
        on_progress
            Told each step with its percentage.
        interrupted
            Says why the work is to end, None while it may go on.
        pause
            Waits some seconds while the store is away, less if ``interrupted`` begins to say something.

        Returns
        -------
        RestoredBlock or BlockFailure
            What became of it; a failure says where its working directory and its log are.

        Raises
        ------
        DependencyAwayError
            If it can be done later: no room on the disk, the store is away, or it was interrupted.
        """
        try:
            inputs, promise = self._check(order)
        except BlockFailedError as error:
            return _failure(order, error)
        self._workspace.require_space(self._settings.disk_reserve + int(inputs.size * self._settings.disk_factor))
        with _room_needed(), self._workspace.attempt(order.eb_uid.file_form) as attempt:
            files = CasaFiles(attempt, order.eb_uid)
            try:
                result, output = self._calibrate(order, files, inputs, promise, on_progress, interrupted)
            except BlockFailedError as error:
                return self._keep(order, files, error)
            on_progress("store", 95.0)
            return _patiently(
                lambda: self._store(order, files, promise, result, output), interrupted=interrupted, pause=pause
            )

    def _check(self, order: RestoreOrdered) -> tuple[Inputs, AsdmPromise]:
        """Find out all that can be known before anything is copied or started."""
        self._check_version(order)
        check_ppr(read_ppr(self._objects.read(order.ppr.ref)), eb_uid=order.eb_uid, session=order.session)
        inputs = Inputs(order, self._objects)
        promise = inputs.promise()
        check_selection(order.request.selection.calibrator_fields, promise.fields)
        return inputs, promise

    def _check_version(self, order: RestoreOrdered) -> None:
        accepted = self._settings.versions
        if self._settings.version_policy == "listed" and not any(
            fnmatchcase(order.casa_version, pattern) for pattern in accepted
        ):
            raise BlockFailedError(
                ReasonCode.CASA_VERSION_UNAVAILABLE,
                f"calibrated with CASA {order.casa_version}; this runner applies calibrations of {', '.join(accepted)}",
            )

    def _calibrate(
        self,
        order: RestoreOrdered,
        files: CasaFiles,
        inputs: Inputs,
        promise: AsdmPromise,
        on_progress: Callable[[str, float], None],
        interrupted: Callable[[], str | None],
    ) -> tuple[CasaResult, Described]:
        """Run CASA and prove what it made."""
        on_progress("inputs", 0.0)
        selected = order.request.selection.calibrator_fields
        calls = calls_needed(inputs.lay_out(files.attempt, limit=self._settings.unpacked_limit), selected)
        only_version = order.casa_version if self._settings.version_policy == "same" else None
        files.write(calls=calls, selected=selected, rows_by_field=promise.rows_by_field, only_version=only_version)
        status = watch(
            self._launcher.start(REFERENCE_SCRIPT, files),
            progress=files.progress,
            on_progress=on_progress,
            interrupted=interrupted,
            time_limit=self._settings.time_limit,
        )
        result = files.read_result()
        output = judge(
            status,
            result,
            promise=promise,
            selected=selected,
            printed=_tail(files.printed),
            severe=_severe(files.log),
            disk_is_full=self._workspace.free < self._settings.disk_reserve // 10,
        )
        check_files(files.output)
        if _numbers(result.casa_version or "") != _numbers(order.casa_version):
            log.info("casa_version_differs", here=result.casa_version, calibrated_with=order.casa_version)
        return result, output

    def _store(
        self, order: RestoreOrdered, files: CasaFiles, promise: AsdmPromise, result: CasaResult, output: Described
    ) -> RestoredBlock:
        name = files.attempt.name
        log_ref = self._archive.store_log(order, _logs(files), attempt=name)
        tar = self._archive.store_tar(order, files.output, attempt=name, mtime=promise.start)
        block = RestoredBlock(
            eb_uid=order.eb_uid,
            file_name=f"{files.output.name}.tar",
            tar=tar,
            rows=output.rows,
            fields=tuple(output.rows_by_field),
            casa_version=result.casa_version or "unknown",
            pipeline_version=order.pipeline_version,
            method=METHOD,
            ppr=order.ppr.ref,
        )
        log.info("block_restored", rows=block.rows, fields=block.fields, bytes=tar.size, tar=tar.key)
        return self._archive.conclude(order, block, log_ref)

    def _keep(self, order: RestoreOrdered, files: CasaFiles, error: BlockFailedError) -> BlockFailure:
        log_ref = self._archive.store_log(order, _logs(files), attempt=files.attempt.name)
        place = self._workspace.keep(files.attempt)
        log.error("block_not_restored", reason=error.reason.value, detail=error.detail, kept=place, log=log_ref.key)
        return _failure(order, error).model_copy(update={"log": log_ref, "working_directory": place})


@contextmanager
def _room_needed() -> Iterator[None]:
    """Say that the disk is full as what it is, wherever it is noticed."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ScratchFullError(f"the scratch disk became full: {error}; make room there") from error
        raise


def _numbers(version: str) -> list[str]:
    """Take a version apart; 6.7.0-31 and 6.7.0.31 are one."""
    return re.split("[.-]", version)


def _failure(order: RestoreOrdered, error: BlockFailedError) -> BlockFailure:
    return BlockFailure(eb_uid=order.eb_uid, stage=Stage.RESTORE, reason=error.reason, detail=error.detail)


def _patiently(
    store: Callable[[], RestoredBlock],
    *,
    interrupted: Callable[[], str | None],
    pause: Callable[[float], object],
    delays: Iterable[float] = _STORE_DELAYS,
) -> RestoredBlock:
    """Try again to store a result while the store is away: it is worth hours of work."""
    for delay in delays:
        try:
            return store()
        except DependencyAwayError as error:
            log.warning("store_away", cause=str(error), next_attempt_in=delay)
            if interrupted():
                raise
            pause(delay)
    return store()


def _logs(files: CasaFiles) -> tuple[Path, ...]:
    return files.job, files.printed, files.log


def _tail(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return stream.read().decode(errors="replace")


def _severe(path: Path) -> tuple[str, ...]:
    if not path.exists():
        return ()
    with path.open(errors="replace") as lines:
        return tuple(severe_lines(lines))
