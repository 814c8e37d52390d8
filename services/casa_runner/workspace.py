"""Working directories: a fresh one per attempt, kept at failure, removed when its runner is dead."""

import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import structlog

from services.casa_runner.errors import RestoreInterruptedError, ScratchFullError
from shared.errors import MisconfiguredError

log = structlog.get_logger()


Work = TypeVar("Work")


@dataclass(frozen=True)
class Attempt:
    """The working directory of one attempt, laid out as the pipeline does."""

    root: Path

    @property
    def name(self) -> str:
        """A name that no other attempt has."""
        return self.root.name

    @property
    def rawdata(self) -> Path:
        """The ASDM and the calibration's archives."""
        return self.root / "rawdata"

    @property
    def working(self) -> Path:
        """CASA's working directory."""
        return self.root / "working"

    @property
    def products(self) -> Path:
        """Where the pipeline would export to."""
        return self.root / "products"

    @property
    def home(self) -> Path:
        """CASA's home, with its site configuration and caches."""
        return self.root / "home"

    @property
    def logs(self) -> Path:
        """CASA's log, what it printed, its progress and its result."""
        return self.root / "logs"

    def create(self) -> None:
        """Make the directories."""
        for folder in (self.rawdata, self.working, self.products, self.home, self.logs):
            folder.mkdir(parents=True)


class Workspace:
    """The scratch directory of the runners of one host.

    An attempt's lock lies beside it and is held while its runner lives; the kernel lets
    go of it when the runner dies, however it dies. So what nobody holds is abandoned.

    Parameters
    ----------
    scratch
        On a local disk; created if missing.
    failed_quota
        Bytes that the working directories of failed attempts may have; with 0 none is kept.

    Raises
    ------
    MisconfiguredError
        If the scratch directory cannot be made or written.
    """

    def __init__(self, *, scratch: Path, failed_quota: int) -> None:
        self._attempts = scratch.absolute() / "attempts"
        self._failed = scratch.absolute() / "failed"
        self._failed_quota = failed_quota
        try:
            for folder in (self._attempts, self._failed):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # for proprietary data
        except OSError as error:
            raise MisconfiguredError(
                f"the scratch directory {scratch} cannot be written: {error.strerror} ({error.filename}); "
                "set ALMA_RESTORE_CASA_RUNNER_SCRATCH to one of a local disk that can be"
            ) from error

    @property
    def attempts(self) -> Path:
        """The folder of the working directories, with a lock beside each."""
        return self._attempts

    @contextmanager
    def attempt(self, label: str) -> Iterator[Attempt]:
        """Give a fresh working directory.

        It is removed in the end, unless it was moved to the failed ones or CASA works on there.
        """
        lock = self._attempts / f"{label}-{uuid4().hex[:12]}.lock"
        while (descriptor := _try_lock(lock, create=True)) is None:
            pass  # somebody cleaning up has it for a moment, and unlinks it
        with _holding(lock, descriptor) as attempt:
            attempt.create()
            yield attempt

    @contextmanager
    def resumed(self, label: str, take_up: Callable[[Attempt], Work | None]) -> Iterator[tuple[Attempt, Work] | None]:
        """Give the attempt of a dead runner with what works there; it ends as that of `attempt` does.

        Parameters
        ----------
        label
            The attempt's.
        take_up
            Takes up what works in an attempt, if something does; if nothing does, the attempt is removed.
        """
        for lock in self._locks_of(label):
            if (descriptor := _try_lock(lock)) is None:
                continue
            try:
                work = take_up(Attempt(lock.with_suffix("")))
            except BaseException:  # the lock must not outlive us, whatever happened; raised again
                os.close(descriptor)
                raise
            with _holding(lock, descriptor) as attempt:
                if work is not None:
                    yield attempt, work
                    return
        yield None

    def _locks_of(self, label: str) -> list[Path]:
        with os.scandir(self._attempts) as entries:
            names = [entry.name for entry in entries]
        ours = (name for name in names if name.startswith(f"{label}-") and name.endswith(".lock"))
        return [self._attempts / name for name in sorted(ours)]

    def keep(self, attempt: Attempt) -> str | None:
        """Move an attempt to the failed ones, the oldest of which make room, and say where: ``host:path``.

        The newest stays whatever its size, since a failure's message names it; None if none is to be kept.
        """
        if not self._failed_quota:
            return None
        kept = self._failed / attempt.name
        attempt.root.rename(kept)
        older = sorted((path for path in self._failed.iterdir() if path != kept), key=_age)
        sizes = [folder_size(path) for path in older]
        surplus = folder_size(kept) + sum(sizes) - self._failed_quota
        for path, size in zip(older, sizes, strict=True):
            if surplus <= 0:
                break
            shutil.rmtree(path, ignore_errors=True)
            surplus -= size
            log.warning("failed_attempt_removed", path=str(path), bytes=size, quota=self._failed_quota)
        return f"{socket.gethostname()}:{kept}"

    def remove_abandoned(self, *, spared: frozenset[Path] = frozenset()) -> int:
        """Remove what killed runners of this host left behind; those that live are not touched."""
        removed = 0
        for lock in sorted(self._attempts.glob("*.lock")):
            if lock.with_suffix("") in spared or (descriptor := _try_lock(lock)) is None:
                continue
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)
            os.close(descriptor)
            removed += 1
        if removed:
            log.warning("abandoned_attempts_removed", count=removed, scratch=str(self._attempts))
        return removed

    def require_space(self, needed: int) -> None:
        """Make sure that there is room on the disk.

        Raises
        ------
        ScratchFullError
            If fewer than ``needed`` bytes are free.
        """
        free = self.free
        if free < needed:
            raise ScratchFullError(f"{self._attempts} has {free} bytes free and {needed} are needed: make room there")

    @property
    def free(self) -> int:
        """Bytes free on the scratch disk."""
        return shutil.disk_usage(self._attempts).free

    def is_ready(self) -> bool:
        """Whether attempts can be made."""
        return os.access(self._attempts, os.W_OK | os.X_OK)


def folder_size(folder: Path) -> int:
    """Add up the sizes of the files in a directory and below; 0 if there is none."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(f"{path}/{name}").st_size
            except FileNotFoundError:
                continue  # CASA removes files of its own while it works
    return total


def _age(path: Path) -> int:
    """Tell when a directory came where it is; another runner may be removing it."""
    try:
        return path.stat().st_ctime_ns
    except FileNotFoundError:
        return 0


@contextmanager
def room_needed() -> Iterator[None]:
    """Say that the disk is full as what it is, wherever it is noticed."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ScratchFullError(f"the scratch disk became full: {error}; make room there") from error
        raise


@contextmanager
def _holding(lock: Path, descriptor: int) -> Iterator[Attempt]:
    """Hold an attempt's lock, and remove both in the end unless CASA works on there."""
    attempt, works_on = Attempt(lock.with_suffix("")), False
    try:
        yield attempt
    except RestoreInterruptedError as error:
        works_on = error.works_on
        if works_on:
            os.utime(attempt.root)  # its age counts from when it was left: see `Launcher.end_orphans`
        raise
    finally:
        if not works_on:
            shutil.rmtree(attempt.root, ignore_errors=True)
            lock.unlink(missing_ok=True)
        os.close(descriptor)


def _try_lock(path: Path, *, create: bool = False) -> int | None:
    """Open and lock a file; None if it is held by somebody else or was removed meanwhile."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None
