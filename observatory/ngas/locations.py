"""Archive an ASDM file by file and report where its files are, in NRAO's format."""

import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from contracts.identifiers import ExecBlockUid
from observatory.ngas.archive import StoredFile

BDF_DIRECTORY = "ASDMBinary"


class Holder(Protocol):
    """A server, or the part of one that a report needs."""

    cluster: str

    @property
    def address(self) -> str:
        """``host:port``."""

    def archive(
        self,
        path: Path,
        file_id: str,
        *,
        version: int | None = 1,
        checksum_plugin: str = "ngamsGenCrc32",
        signed: bool = False,
    ) -> StoredFile:
        """Put a file into the archive."""


def location_report(
    asdm_dir: Path, eb_uid: ExecBlockUid, server: Holder, *, write_to: Path | None = None, signed: bool = False
) -> dict[str, Any]:
    """Archive every file of an ASDM and report where it is.

    Parameters
    ----------
    asdm_dir
        The ASDM's directory: tables as XML or .bin, binary data below ``ASDMBinary``.
    eb_uid
        The execution block.
    server
        The server that takes the files; it must listen already, since the report names its port.
    write_to
        Directory to write the report to, as ``<EB in file form>.json``.
    signed
        Whether checksums are recorded as signed numbers, as old archives did.

    Returns
    -------
    dict
        The report.
    """
    entries = []
    for path in sorted(asdm_dir.rglob("*")):
        if path.is_file():
            file_id = _file_id(path, asdm_dir, eb_uid)
            stored = server.archive(path, file_id, version=None, signed=signed)
            entries.append(report_entry(stored, path.relative_to(asdm_dir), server))
    return _write_report(entries, eb_uid, write_to)


def tar_report(
    asdm_dir: Path, eb_uid: ExecBlockUid, server: Holder, *, work: Path, write_to: Path | None = None
) -> dict[str, Any]:
    """Archive an ASDM as one tar, and report where it is.

    Parameters
    ----------
    asdm_dir, eb_uid, server, write_to
        As for `location_report`.
    work
        Directory for the tar.
    """
    name = f"{eb_uid.file_form}.asdm.sdm.tar"
    with tarfile.open(work / name, "w") as tar:
        tar.add(asdm_dir, arcname=f"{eb_uid.file_form}.asdm.sdm")
    stored = server.archive(work / name, name, version=None)
    return _write_report([report_entry(stored, Path(name), server)], eb_uid, write_to)


def multipart_report(
    asdm_dir: Path, eb_uid: ExecBlockUid, server: Holder, *, work: Path, write_to: Path | None = None
) -> dict[str, Any]:
    """Archive an ASDM as one multipart message under its UID, and report where it is; see `tar_report`."""
    file_id = eb_uid.removeprefix("uid://")
    path = work / f"{eb_uid.file_form}.multipart"
    with path.open("wb") as message:
        for piece in _multipart(asdm_dir):
            message.write(piece)
    stored = server.archive(path, file_id, version=None)
    return _write_report([report_entry(stored, Path(eb_uid.file_form), server)], eb_uid, write_to)


def _multipart(asdm_dir: Path) -> Iterable[bytes]:
    boundary = b"observatory-part-7f3a"
    yield b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="' + boundary + b'"\r\n\r\nAn ASDM.\r\n'
    for path in sorted(path for path in asdm_dir.rglob("*") if path.is_file()):
        is_binary = path.parent.name == BDF_DIRECTORY
        name = f"uid://{path.name.removeprefix('uid___').replace('_', '/')}" if is_binary else path.name
        mime_type = "text/xml" if path.suffix == ".xml" else "application/octet-stream"
        yield b"--" + boundary + f"\r\nContent-Type: {mime_type}\r\nContent-Location: {name}\r\n\r\n".encode()
        yield path.read_bytes()
        yield b"\r\n"
    yield b"--" + boundary + b"--\r\n"


def _write_report(entries: list[dict[str, Any]], eb_uid: ExecBlockUid, write_to: Path | None) -> dict[str, Any]:
    report = {"files": entries, "aggregate_size": sum(entry["size"] for entry in entries)}
    if write_to is not None:
        write_to.mkdir(parents=True, exist_ok=True)
        (write_to / f"{eb_uid.file_form}.json").write_text(json.dumps(report, indent=1))
    return report


def report_entry(stored: StoredFile, path: Path, server: Holder) -> dict[str, Any]:
    """Describe one file as the report does."""
    return {
        "ngas_file_id": stored.file_id,
        "subdirectory": "" if path.parent == Path() else str(path.parent),
        "relative_path": path.name,
        "checksum": stored.checksum,
        "checksum_type": stored.checksum_plugin,
        "version": stored.version,
        "size": stored.size,
        "server": {
            "server": server.address,
            "location": "OBSERVATORY",
            "cluster": server.cluster,
            "retrieve_method": "stream",
        },
    }


def _file_id(path: Path, asdm_dir: Path, eb_uid: ExecBlockUid) -> str:
    """Name a file in NGAS: a BDF by its own UID, any other file by its block's."""
    inside = path.relative_to(asdm_dir)
    if inside.parts[0] == BDF_DIRECTORY:
        return path.name.removeprefix("uid___").replace("_", "/")
    return ".".join((eb_uid.file_form, *inside.parts))
