"""Unpacks archives of tables without trusting them."""

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from contracts.reasons import ReasonCode
from services.casa_runner.source import go_on
from shared.errors import BlockFailedError
from shared.tars import extract, read_to_end


def unpack(archive: Path, into: Path, *, wanted: Iterable[str], limit: int, heed: Callable[[], None] = go_on) -> None:
    """Unpack some of an archive's top-level directories.

    Nothing is written outside ``into``: absolute paths, ``..``, links that lead out
    and devices are refused, as are archives that unpack to more than ``limit`` bytes.

    Parameters
    ----------
    archive
        A ``.tgz`` of the pipeline.
    into
        Where the directories go.
    wanted
        Names of the top-level directories; all others are left in the archive.
    heed
        Asked at each member; what it raises ends the unpacking.

    Raises
    ------
    BlockFailedError
        If the archive cannot be read or lacks one of them (``caltable_damaged``).
    """
    names = set(wanted)
    try:
        with gzip.open(archive) as stream:
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                extract(tar, into, members=_selected(tar, names, limit, heed))
            read_to_end(stream, limit)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, ValueError) as error:
        raise damaged(f"{archive.name} cannot be unpacked: {type(error).__name__}: {error}") from error
    check_tables(into, names, f"{archive.name} does not contain it, or only part of it")


def check_tables(folder: Path, names: Iterable[str], otherwise: str) -> None:
    """Make sure that directories are there with something in them.

    Raises
    ------
    BlockFailedError
        If one is missing or empty (``caltable_damaged``); ``otherwise`` says why it matters.
    """
    missing = sorted(name for name in names if not (folder / name).is_dir() or not any((folder / name).iterdir()))
    if missing:
        raise damaged(f"missing: {', '.join(missing)}; {otherwise}")


def damaged(detail: str) -> BlockFailedError:
    """Make the error that says that a calibration table is missing or unreadable."""
    return BlockFailedError(ReasonCode.CALTABLE_DAMAGED, detail)


def _selected(tar: tarfile.TarFile, names: set[str], limit: int, heed: Callable[[], None]) -> Iterator[tarfile.TarInfo]:
    total = 0
    for member in tar:
        heed()
        parts = [part for part in PurePosixPath(member.name).parts if part != "."]
        if not parts or parts[0] not in names:
            continue
        total += member.size
        if total > limit:
            raise ValueError(f"it unpacks to more than {limit} bytes")
        yield member
