"""Write .tgz archives that are the same bytes for the same content."""

import gzip
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

_MTIME = 1_538_395_200  # 2018-10-01T12:00:00Z, the day of the synthetic processing


def write_tgz(path: Path, members: Iterable[tuple[str, Path | bytes]]) -> None:
    """Pack members, each a name with a file, a directory (taken whole) or a content.

    Names are sorted and times, owners and modes fixed. The weakest compression is used:
    calibration tables hardly compress and the rest is small.
    """
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=1, mtime=_MTIME) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for name, content in sorted(members, key=lambda member: member[0]):
            _add(tar, name, content)


def _add(tar: tarfile.TarFile, name: str, content: Path | bytes) -> None:
    if isinstance(content, bytes):
        _add_file(tar, name, content)
    elif content.is_dir():
        tar.addfile(_info(name, kind=tarfile.DIRTYPE, mode=0o755))
        for child in sorted(content.iterdir()):
            _add(tar, f"{name}/{child.name}", child)
    else:
        _add_file(tar, name, content.read_bytes())


def _add_file(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = _info(name, kind=tarfile.REGTYPE, mode=0o644)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def _info(name: str, *, kind: bytes, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime = kind, mode, _MTIME
    return info
