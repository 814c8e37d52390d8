"""The directory of trigger files: what lies there, and where files go that are done or cannot be read."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import structlog

from shared.errors import DependencyAwayError, RestoreError
from shared.objects.files import sync_directory, write_whole

log = structlog.get_logger()

REJECTED = "rejected"


class TriggersAwayError(DependencyAwayError):
    """The directory of trigger files cannot be read or written now; files stay and are taken later."""

    code = "triggers_away"


class NotAllowedError(RestoreError):
    """A trigger file may not be read or moved by this user."""

    code = "trigger_not_allowed"


@dataclass(frozen=True)
class Stamp:
    """What changes when a file does."""

    inode: int
    size: int
    modified: int


class TriggerDirectory:
    """Lists, reads, rejects and removes trigger files.

    Parameters
    ----------
    root
        The directory. Hidden files and directories in it are left alone.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def files(self) -> dict[str, Stamp]:
        """Return the files that lie there, by name."""
        found = {}
        with self._reachable():
            for name in sorted(path.name for path in self.root.iterdir()):
                if not name.startswith(".") and (stamp := self._stamp(name)) is not None:
                    found[name] = stamp
        return found

    def read(self, name: str, most: int) -> bytes | None:
        """Read a file, or so many bytes of it if it is longer; None if it is gone.

        Raises
        ------
        NotAllowedError
            If this user may not read it.
        """
        with self._reachable():
            try:
                descriptor = os.open(self.root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            except FileNotFoundError:
                return None
            except PermissionError as error:
                raise NotAllowedError(f"{error}: let the request desk's user read the file") from error
            with os.fdopen(descriptor, "rb") as file:
                return file.read(most)

    def remove(self, name: str) -> None:
        """Remove a file that is done.

        Raises
        ------
        NotAllowedError
            If this user may not.
        """
        with self._reachable():
            with self._movable():
                (self.root / name).unlink(missing_ok=True)
            sync_directory(self.root)

    def reject(self, name: str, reason: str) -> Path:
        """Move a file to ``rejected/`` and write the reason beside it, overwriting nothing.

        Whoever is killed on the way is followed by one that does it again, to the same place.
        The file is moved, not linked: a file of somebody else may be moved by who may write the
        directory, and may not be linked.

        Raises
        ------
        NotAllowedError
            If this user may not move it.
        """
        source, folder = self.root / name, self.root / REJECTED
        with self._reachable():
            folder.mkdir(exist_ok=True)
            target = _free_place(name, folder)
            written = target.with_name(f"{target.name}.reason.txt")
            write_whole(written, [f"{reason}\n".encode()])
            with self._movable():
                try:
                    source.rename(target)
                except FileNotFoundError:  # another process of the desk was faster
                    if not target.exists():
                        written.unlink(missing_ok=True)
            sync_directory(folder)
            sync_directory(self.root)
        return target

    def is_ready(self) -> bool:
        """Whether the directory can be read and written right now."""
        return os.access(self.root, os.R_OK | os.W_OK | os.X_OK)

    def _stamp(self, name: str) -> Stamp | None:
        try:
            status = (self.root / name).lstat()
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(status.st_mode):
            return None
        if not stat.S_ISREG(status.st_mode):
            log.warning("trigger_is_no_plain_file_and_is_left_alone", name=name)
            return None
        return Stamp(inode=status.st_ino, size=status.st_size, modified=status.st_mtime_ns)

    @contextmanager
    def _movable(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise NotAllowedError(f"{error}: let the request desk's user move files out of {self.root}") from error

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TriggersAwayError(
                f"the directory of trigger files {self.root} cannot be used: {error}; files wait there until it can"
            ) from error


def _free_place(name: str, folder: Path) -> Path:
    """Return where in a folder nothing lies yet: under the name, or with a number behind it."""
    places = (folder / (name if number == 1 else f"{name}.{number}") for number in count(1))
    return next(place for place in places if not os.path.lexists(place))
