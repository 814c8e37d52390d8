"""Fetch the files of a delivery: in pieces, several at a time, going on where it broke off, and checked.

A file grows as ``<name>.part``; which of its pieces are there stands in ``<name>.pieces``. It gets
its name once its SHA-256 sum is the one that the delivery tells.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import urllib3

from alma_restore.desk_http import DeskAwayError, DeskHttp, DeskRefusedError
from alma_restore.desk_models import DeliveredFile, Delivery
from shared.errors import RestoreError

PIECE = 32 * 1024 * 1024
"""Bytes that are fetched by one call."""

_CHUNK = 1024 * 1024
_TRIES = 6


class DownloadDamagedError(RestoreError):
    """What was fetched is not what the delivery tells; it is removed."""

    code = "download_damaged"


class UnsafeNameError(RestoreError):
    """A delivery names a file that would not lie in the folder; nothing is fetched."""

    code = "unsafe_name"


@dataclass(frozen=True)
class Downloading:
    """How far a download is: bytes that are there, bytes in all, and the files that are whole."""

    done: int
    total: int
    whole: int


class _Progress:
    """Counts what arrives, from several threads."""

    def __init__(self, total: int, tell: Callable[[Downloading], None]) -> None:
        self._total = total
        self._tell = tell
        self._lock = Lock()
        self._done = 0
        self._whole = 0

    def add(self, count: int = 0, *, whole: int = 0) -> None:
        with self._lock:
            self._done += count
            self._whole += whole
            self._tell(Downloading(done=self._done, total=self._total, whole=self._whole))


class _Growing:
    """A file that is fetched piece by piece."""

    def __init__(self, file: DeliveredFile, folder: Path) -> None:
        self.file = file
        self.final = folder / file.name
        self._part = folder / f"{file.name}.part"
        self._pieces = folder / f"{file.name}.pieces"
        self._lock = Lock()

    def missing(self) -> list[tuple[int, int]] | None:
        """List offset and length of the pieces that are not there; None if the file lies there whole."""
        if self._is_whole():
            return None
        there = self._known()
        ends = range(0, self.file.size, PIECE)
        return [(offset, min(PIECE, self.file.size - offset)) for offset in ends if offset not in there]

    def _is_whole(self) -> bool:
        path = self.final
        return path.is_file() and path.stat().st_size == self.file.size and _sum(path) == self.file.sha256

    def open(self) -> int:
        """Open the growing file for writing at any place."""
        return os.open(self._part, os.O_WRONLY | os.O_CREAT, 0o644)

    def note(self, offset: int) -> None:
        """Note that a piece is there."""
        with self._lock, self._pieces.open("a") as file:
            file.write(f"{self.file.sha256} {offset}\n")

    def finish(self) -> None:
        """Check the sum and give the file its name.

        Raises
        ------
        DownloadDamagedError
            If it is another one.
        """
        if not self.file.size:
            self._part.touch()
        if (found := _sum(self._part)) != self.file.sha256:
            self._part.unlink()
            self._pieces.unlink(missing_ok=True)
            raise DownloadDamagedError(
                f"{self.file.name}: SHA-256 is {found}, promised was {self.file.sha256}; it was removed: fetch it again"
            )
        self._part.replace(self.final)
        self._pieces.unlink(missing_ok=True)

    def _known(self) -> set[int]:
        """Read which pieces are there; what was noted of a file with another sum counts for nothing."""
        if not (self._part.is_file() and self._pieces.is_file()):
            self._part.unlink(missing_ok=True)
            self._pieces.unlink(missing_ok=True)
            return set()
        lines = [line.split() for line in self._pieces.read_text().splitlines()]
        return {int(line[1]) for line in lines if len(line) == 2 and line[0] == self.file.sha256 and line[1].isdigit()}


def download(
    delivery: Delivery, folder: Path, *, http: DeskHttp, parallel: int, tell: Callable[[Downloading], None]
) -> list[Path]:
    """Fetch all files of a delivery; see `alma_restore.Desk.download`.

    Raises
    ------
    DeskRefusedError
        If the delivery has expired or may not be handed out.
    DownloadDamagedError, UnsafeNameError
        If what comes is not what was promised.
    """
    growing = [_Growing(file, folder) for file in delivery.files if _check_name(file.name)]
    folder.mkdir(parents=True, exist_ok=True)
    progress = _Progress(delivery.size, tell)
    missing = [(each, each.missing()) for each in growing]
    for each, pieces in missing:
        progress.add(each.file.size - sum(length for _, length in pieces or ()), whole=pieces is None)
    with ThreadPoolExecutor(parallel, thread_name_prefix="download") as pool:
        jobs = [
            (each, [pool.submit(_fetch, each, *piece, http, progress) for piece in pieces])
            for each, pieces in missing
            if pieces is not None
        ]
        try:
            for each, pieces_of_it in jobs:
                for job in pieces_of_it:
                    job.result()
                each.finish()
                progress.add(whole=1)
        except BaseException:  # an interrupt, too; raised again
            # What is under way ends; what has not begun need not: it is fetched when the download is gone on with.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [each.final for each in growing]


def _fetch(growing: _Growing, offset: int, length: int, http: DeskHttp, progress: _Progress) -> None:
    """Fetch a piece, trying again after breaks where it broke off."""
    descriptor, done = growing.open(), 0
    try:
        for attempt in range(_TRIES):
            try:
                for chunk in _bytes(growing.file, offset + done, length - done, http):
                    os.pwrite(descriptor, chunk, offset + done)
                    done += len(chunk)
                    progress.add(len(chunk))
                if done == length:
                    growing.note(offset)
                    return
            except (urllib3.exceptions.HTTPError, DeskAwayError):
                if attempt == _TRIES - 1:
                    raise
            time.sleep(min(0.2 * 2**attempt, 5.0))
    finally:
        os.close(descriptor)
    raise DeskAwayError(f"{growing.file.name}: the connection breaks again and again")


def _bytes(file: DeliveredFile, offset: int, length: int, http: DeskHttp) -> Iterator[bytes]:
    # No token goes along: the address opens the door, and it may lead on to the object store.
    headers = {"Range": f"bytes={offset}-{offset + length - 1}"}
    answer = http.pool.request("GET", file.url, headers=headers, preload_content=False, redirect=True, retries=3)
    try:
        whole = answer.status == 200 and offset == 0 and length == file.size
        if answer.status != 206 and not whole:
            _refuse(answer.status, file.name)
        left = length
        for chunk in answer.stream(_CHUNK):
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return
    finally:
        answer.close()


def _refuse(status: int, name: str) -> None:
    if status in (429, 500, 502, 503, 504):
        raise DeskAwayError(f"{name}: the server answers {status}")
    why = {403: "may not be handed out now", 404: "is not there", 410: "has expired"}.get(status, f"answers {status}")
    raise DeskRefusedError(status, {"title": "This cannot be fetched", "detail": f"{name} {why}"})


def _check_name(name: str) -> bool:
    """Let only names pass that lie in the folder itself.

    Raises
    ------
    UnsafeNameError
        If it is another one.
    """
    if Path(name).name != name or name in ("", ".", "..") or "\x00" in name or "\\" in name:
        raise UnsafeNameError(f"the delivery names a file {name!r}, which would lie elsewhere: nothing is fetched")
    return True


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
