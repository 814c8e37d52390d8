"""Keeps what came of a restore: its result in the store, or its log there and its working directory here."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from contracts.messages import RestoreOrdered
from contracts.messages.parts import BlockFailure, RestoredBlock, Stage
from services.casa_runner.archive import Archive
from services.casa_runner.errors import CasaAwayError, ScratchFullError
from services.casa_runner.job import CasaFiles, CasaResult, Described
from services.casa_runner.launcher import CasaLostError, RunningCasa
from services.casa_runner.logs import logs_of
from services.casa_runner.metrics import RunnerMetrics
from services.casa_runner.task import Ended, Task
from services.casa_runner.workspace import Workspace, room_needed
from shared.errors import BlockFailedError, RestoreError

_PUT_OFF = "put-off"
_STORE = 95.0
log = structlog.get_logger()


class Keeper:
    """Keeps results and failures.

    Parameters
    ----------
    archive
        What is kept in the store.
    workspace
        Where failed attempts are kept.
    metrics
        Told how much is stored.
    """

    def __init__(self, *, archive: Archive, workspace: Workspace, metrics: RunnerMetrics) -> None:
        self._archive = archive
        self._workspace = workspace
        self._metrics = metrics

    def store(
        self, task: Task, files: CasaFiles, running: RunningCasa, result: CasaResult, output: Described
    ) -> RestoredBlock:
        """Store a result, unless the restore is to end before its tar is whole; then nothing of the tar is left.

        Raises
        ------
        RestoreInterruptedError
            If it is to end; the attempt is left to the next runner where that can take it up.
        """
        order, name = task.order, files.attempt.name

        def heed(sent: int, total: int) -> None:
            task.interruption.leave_or_end(running)
            task.voice.progressed("store", round(_STORE + (100 - _STORE) * sent / total, 1), sent)

        log_ref = self._archive.store_log(order, logs_of(files), attempt=name)
        tar = self._archive.store_tar(
            order,
            files.output,
            attempt=name,
            mtime=task.promise.start,
            heed=heed,
        )
        block = RestoredBlock(
            eb_uid=order.eb_uid,
            file_name=f"{files.output.name}.tar",
            tar=tar,
            rows=output.rows,
            fields=tuple(output.rows_by_field),
            casa_version=result.casa_version or "unknown",
            casa_note=_note(order, result),
            pipeline_version=order.pipeline_version,
            method=result.method or "unknown",
            method_reason=result.rule,
            ppr=order.ppr.ref,
        )
        log.info("block_restored", rows=block.rows, fields=block.fields, bytes=tar.size, tar=tar.key)
        self._metrics.bytes.inc(tar.size)
        task.check()
        return self._archive.conclude(order, block, log_ref)

    def keep(self, task: Task, files: CasaFiles, error: BlockFailedError) -> Ended:
        """Keep what tells of a failure: CASA's log, and the working directory."""
        order, way, told = task.order, task.way, files.read_result()
        log_ref = self._archive.store_log(order, logs_of(files), attempt=files.attempt.name)
        place = self._workspace.keep(files.attempt)
        log.error("block_not_restored", reason=error.reason.value, detail=error.detail, kept=place, log=log_ref.key)
        return Ended(
            outcome=failure(order, error).model_copy(update={"log": log_ref, "working_directory": place}),
            method=told.method or way.method,
            casa_version=told.casa_version or way.casa.version,
        )

    @contextmanager
    def log_kept(self, order: RestoreOrdered, files: CasaFiles) -> Iterator[None]:
        """Keep CASA's log of a restore that is put off, and name it in the error, which is what the request hears.

        Of all times that a restore is put off the last one's is kept.
        """
        try:
            with room_needed():
                yield
        except (ScratchFullError, CasaAwayError, CasaLostError) as error:
            if key := self.keep_log(order, files, name=_PUT_OFF):
                raise type(error)(f"{error}; CASA's log: {key}") from error
            raise

    def keep_log(self, order: RestoreOrdered, files: CasaFiles, *, name: str) -> str | None:
        """Keep CASA's log under a name and return its key; None if CASA wrote none, or the store is away."""
        job, *told = logs_of(files)
        if not any(path.exists() and path.stat().st_size for path in told):
            return None
        try:
            return self._archive.store_log(order, (job, *told), attempt=name).key
        except RestoreError as error:
            log.warning("log_not_kept", attempt=files.attempt.name, cause=str(error))
            return None


def failure(order: RestoreOrdered, error: BlockFailedError) -> BlockFailure:
    """Say that a block failed."""
    return BlockFailure(eb_uid=order.eb_uid, stage=Stage.RESTORE, reason=error.reason, detail=error.detail)


def is_same_casa(one: str | None, other: str) -> bool:
    """Tell whether two versions are one CASA's: 6.7.0-31 and 6.7.0.31 are."""
    return re.split("[.-]", one or "") == re.split("[.-]", other)


def _note(order: RestoreOrdered, result: CasaResult) -> str | None:
    """Say what the version table says of the CASA that was used, unless that is another than it names."""
    if order.casa is None or not is_same_casa(result.casa_version, order.casa.version):
        return None
    return order.casa.note
