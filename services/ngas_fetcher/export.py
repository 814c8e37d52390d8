"""ASDMs from a command that exports a whole one into a directory, such as ``asdmExportLight <uid>``."""

import hashlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from contracts.identifiers import ExecBlockUid
from contracts.manifests import StagedFile
from contracts.reasons import ReasonCode
from services.ngas_fetcher.body import CHUNK
from services.ngas_fetcher.completeness import MAIN_TABLE, check_complete, check_whole
from services.ngas_fetcher.errors import ExportFailedError
from services.ngas_fetcher.holding import Bringing
from services.ngas_fetcher.pool import Job, memory_of
from services.ngas_fetcher.stop import Stop
from shared.errors import BlockFailedError, MisconfiguredError

log = structlog.get_logger()
_LOOK = 0.1
_TOLD = 2000


class ExportCommand:
    """Runs the command; it gets the UID as its last argument and a directory of its own to write into.

    Parameters
    ----------
    command
        The program and its arguments; no shell is involved.
    directory
        Where exports lie until they are stored; needs room for the largest ASDM per block that is staged at a time.
    time_limit
        Seconds that an export may take.
    """

    def __init__(self, *, command: Sequence[str], directory: Path, time_limit: float) -> None:
        self._command = tuple(command)
        self._directory = directory
        self._time_limit = time_limit

    def locate(self, eb_uid: ExecBlockUid) -> "ExportHolding":
        """Say how the block can be had; whether the archive has it shows when the command runs."""
        return ExportHolding(eb_uid=eb_uid, command=self)

    def name(self) -> str:
        """Name the program, for keys and manifests."""
        return Path(self._command[0]).name

    def run(self, eb_uid: ExecBlockUid, work: Path, stop: Stop) -> Path:
        """Export a block into ``work`` and give its ASDM's directory.

        Raises
        ------
        MisconfiguredError
            If there is no such program.
        ExportFailedError
            If it fails, or does not end in time; the same may work later.
        BlockFailedError
            If it ends well and there is no ASDM.
        FetchAbandonedError
            If told to stop.
        """
        with (work / "output").open("w+b") as output:
            try:
                process = subprocess.Popen(  # noqa: S603  # the setting's own command, and a checked UID
                    [*self._command, eb_uid],
                    cwd=work,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise MisconfiguredError(f"The export command {self._command[0]} cannot be run: {error}") from error
            try:
                self._wait(process, stop)
            finally:
                _kill(process)
            output.seek(0, os.SEEK_END)
            output.seek(max(0, output.tell() - _TOLD))
            told = output.read().decode(errors="replace").strip()
        if process.returncode:
            raise ExportFailedError(f"{self.name()} {eb_uid} ended with exit code {process.returncode}: {told}")
        return _asdm_directory(work, eb_uid, f"{self.name()} {eb_uid}", told)

    def work_directory(self) -> "tempfile.TemporaryDirectory[str]":
        """Make a directory for one export, which is removed at its end."""
        self._directory.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix="export-", dir=self._directory, ignore_cleanup_errors=True)

    def _wait(self, process: "subprocess.Popen[bytes]", stop: Stop) -> None:
        until = time.monotonic() + self._time_limit
        while process.poll() is None:
            stop.wait(_LOOK)
            if time.monotonic() > until:
                raise ExportFailedError(
                    f"{self.name()} did not end within {self._time_limit:.0f} s and was killed; "
                    "see whether it hangs, or raise ALMA_RESTORE_NGAS_FETCHER_EXPORT_TIME_LIMIT"
                )


@dataclass(frozen=True, kw_only=True)
class ExportHolding:
    """An ASDM that the command can export."""

    eb_uid: ExecBlockUid
    command: ExportCommand

    @property
    def content(self) -> str:
        """A digest of the command's name: an execution block's raw data never change, and are known by no version."""
        return hashlib.sha256(f"export by {self.command.name()}".encode()).hexdigest()[:32]

    @property
    def files_total(self) -> int:
        """Nobody knows before."""
        return 0

    @property
    def size(self) -> int:
        """Nobody knows before."""
        return 0

    def bring(self, bringing: Bringing) -> tuple[StagedFile, ...]:
        """Export, see that it is whole, then store its files."""
        with self.command.work_directory() as work:
            (asdm,) = bringing.run([Job(work=lambda: self.command.run(self.eb_uid, Path(work), bringing.stop))])
            paths = _paths(asdm, self.eb_uid)
            with (asdm / MAIN_TABLE).open("rb") as table:
                named = check_complete(self.eb_uid, iter(partial(table.read, CHUNK), b""), paths)
            check_whole(self.eb_uid, asdm, named)
            jobs = [
                Job(work=partial(self._store, bringing, asdm, path, size), memory=memory_of(size))
                for path, size in paths.items()
            ]
            return tuple(bringing.run(jobs))

    def _store(self, bringing: Bringing, asdm: Path, path: str, size: int) -> StagedFile:
        ref = bringing.target.put(bringing.key(path), _read(asdm / path, bringing, path), at_most=size)
        bringing.progress.done(path, ref.size)
        return StagedFile(path=path, ref=ref, archive_file_id=f"{self.eb_uid} {path}", archive_version=1)


def _read(file: Path, bringing: Bringing, path: str) -> Iterator[bytes]:
    tell, position = bringing.progress.position(path), 0
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            bringing.stop.check()
            position += len(chunk)
            tell(position)
            yield chunk


def _asdm_directory(work: Path, eb_uid: ExecBlockUid, what: str, told: str) -> Path:
    for name in (eb_uid.file_form, f"{eb_uid.file_form}.asdm.sdm"):
        if (work / name / MAIN_TABLE).is_file():
            return work / name
    made = ", ".join(sorted(path.name for path in work.iterdir() if path.name != "output")) or "nothing"
    raise BlockFailedError(
        ReasonCode.ASDM_INCOMPLETE, f"{what} ended well, but made {made} and no {eb_uid.file_form}/{MAIN_TABLE}: {told}"
    )


def _paths(asdm: Path, eb_uid: ExecBlockUid) -> dict[str, int]:
    """Tell path and size of all files, in order; links are refused, since they can lead anywhere."""
    found: dict[str, int] = {}
    for path in sorted(asdm.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise BlockFailedError(ReasonCode.ASDM_INCOMPLETE, f"{eb_uid}: the export holds {path.name}, no plain file")
        if path.is_file():
            found[str(path.relative_to(asdm))] = path.stat().st_size
    return found


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End the command and whatever it began."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
