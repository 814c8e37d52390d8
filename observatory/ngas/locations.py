"""Archive an ASDM file by file and report where its files are, in NRAO's format."""

import json
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
