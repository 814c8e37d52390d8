"""The delivery area: directories of finished results, each visible whole or not at all."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import structlog

from contracts.messages.parts import NamedRef
from shared.errors import DependencyAwayError, RestoreError
from shared.objects import ObjectStore
from shared.objects.files import READ_ONLY, sync_directory, write_whole

log = structlog.get_logger()

_LISTED_BY_NOBODY = 0o711
"""Mode of the area itself: the web server can follow an address but cannot list them."""
_READABLE = 0o755
DO_NOT_REMOVE = ".donotremove"
"""A file of this name in a delivery's directory keeps it."""


class DeliveryAreaAwayError(DependencyAwayError):
    """The delivery area cannot be written: its disk is away or full."""

    code = "delivery_area_away"


class DeliveryArea(Protocol):
    """Shows results to those who know their token."""

    def lay_out(self, token: str, files: Sequence[NamedRef], texts: Mapping[str, str]) -> None:
        """Show stored files and texts under a token, all at one moment; do nothing if they are shown already.

        Parameters
        ----------
        token
            Name of the delivery.
        files
            Objects and the names they get; each is verified.
        texts
            Small files by name.

        Raises
        ------
        DeliveryAreaAwayError
            If the area cannot be written now.
        """

    def take_down(self, token: str) -> None:
        """Show a delivery no more, all of it at one moment; do nothing if it is not shown.

        A delivery in which somebody has put ``.donotremove`` stays.

        Raises
        ------
        DeliveryAreaAwayError
            If the area cannot be written now.
        """

    def is_ready(self) -> bool:
        """Whether the area can be written right now."""


class DirectoryArea:
    """Lays deliveries out in a directory that a web server shows.

    A delivery is assembled in ``.<token>.<random>.tmp`` and then renamed, so two
    who assemble the same one do not disturb each other: the first one's stays. What a
    killed process left behind is removed by the next who completes that delivery.

    Parameters
    ----------
    root
        The directory, created if it is missing. On the object store's own file system
        files are hard links and take no room.
    objects
        Where the results are.
    """

    def __init__(self, *, root: Path, objects: ObjectStore) -> None:
        self._root = root.absolute()
        self._objects = objects

    def lay_out(self, token: str, files: Sequence[NamedRef], texts: Mapping[str, str]) -> None:
        """Show files under a token; see `DeliveryArea.lay_out`."""
        final = self._root / token
        temporary = self._root / f".{token}.{uuid4().hex}.tmp"
        try:
            if not final.is_dir():
                self._assemble(temporary, files, texts)
                _name(temporary, final)
        except OSError as error:
            if not final.is_dir():
                raise DeliveryAreaAwayError(
                    f"cannot lay out {final}: {error}; make the delivery area writable or make room"
                ) from error
        except RestoreError:
            if not final.is_dir():
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._remove_leftovers(token)
        log.info("delivery_laid_out", files=len(files))

    def take_down(self, token: str) -> None:
        """Remove a delivery's directory; see `DeliveryArea.take_down`."""
        final = self._root / token
        if (final / DO_NOT_REMOVE).exists():
            log.warning("delivery_kept_by_hand", directory=str(final), consequence="remove it by hand")
            return
        try:
            if final.is_dir():
                final.rename(self._root / f".{token}.{uuid4().hex}.tmp")
                sync_directory(self._root)
                log.info("delivery_taken_down")
            self._remove_leftovers(token)
        except OSError as error:
            raise DeliveryAreaAwayError(f"cannot remove {final}: {error}; make the delivery area writable") from error

    def _assemble(self, folder: Path, files: Sequence[NamedRef], texts: Mapping[str, str]) -> None:
        self._root.mkdir(mode=_LISTED_BY_NOBODY, parents=True, exist_ok=True)
        folder.mkdir()
        for file in files:
            self._objects.fetch_to(file.ref, folder / file.name)
            _forbid_writing(folder / file.name)
        for name, text in texts.items():
            write_whole(folder / name, [text.encode()])
        folder.chmod(_READABLE)
        sync_directory(folder)

    def _remove_leftovers(self, token: str) -> None:
        for path in self._root.glob(f".{token}.*.tmp"):
            shutil.rmtree(path, ignore_errors=True)

    def is_ready(self) -> bool:
        """Whether the directory can be written, or made."""
        nearest = next(path for path in (self._root, *self._root.parents) if path.exists())
        return nearest.is_dir() and os.access(nearest, os.W_OK)


def _forbid_writing(path: Path) -> None:
    """Make a file read-only; a hard link is so already, and may belong to another account."""
    if path.stat().st_mode & 0o222:
        path.chmod(READ_ONLY)


def _name(temporary: Path, final: Path) -> None:
    """Rename; fails if ``final`` is there, since a delivery is never empty."""
    temporary.rename(final)
    sync_directory(final.parent)
