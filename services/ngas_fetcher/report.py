"""Read a location report in NRAO's format."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.identifiers import ExecBlockUid
from services.ngas_fetcher.checksums import Checksum, UnreadableChecksumError
from services.ngas_fetcher.errors import LocationUnusableError
from services.ngas_fetcher.location import ArchiveFile, AsdmLocation, UnsafePathError, safe_path


class _Server(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    server: str = Field(min_length=1)
    cluster: str | None = None


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    ngas_file_id: str = Field(min_length=1)
    subdirectory: str | None = None
    relative_path: str = Field(min_length=1)
    checksum: str | int | None = None
    checksum_type: str | None = None
    version: int = Field(ge=1)
    size: int = Field(ge=0)
    server: _Server


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    files: tuple[_Entry, ...] = Field(min_length=1)


def read_report(eb_uid: ExecBlockUid, data: bytes, *, origin: str, clusters: Sequence[str] = ()) -> AsdmLocation:
    """Read where the files of an execution block are; see `read_files`."""
    return AsdmLocation(eb_uid=eb_uid, files=read_files(data, origin=origin, clusters=clusters))


def read_files(data: bytes, *, origin: str, clusters: Sequence[str] = ()) -> tuple[ArchiveFile, ...]:
    """Read where files are.

    A path that stands several times with different servers has as many replicas,
    those of preferred clusters first, else in the order of the report.

    Parameters
    ----------
    data
        The report, JSON.
    origin
        Where the report comes from, for messages.
    clusters
        Clusters that are asked before others, in order.

    Raises
    ------
    LocationUnusableError
        If it is no report, an entry names an unsafe path or an unknown checksum, or entries contradict each other.
    """
    try:
        report = _Report.model_validate_json(data)
        entries = sorted(report.files, key=lambda entry: _rank(entry.server.cluster, clusters))
        found = sorted((_file(entry) for entry in entries), key=lambda file: file.path)
    except (ValidationError, UnsafePathError, UnreadableChecksumError) as error:
        raise LocationUnusableError(f"The location report {origin} cannot be used: {error}") from error
    return tuple(_merge(replicas, origin) for _, replicas in groupby(found, key=lambda file: file.path))


def _rank(cluster: str | None, clusters: Sequence[str]) -> int:
    return clusters.index(cluster) if cluster in clusters else len(clusters)


def _file(entry: _Entry) -> ArchiveFile:
    return ArchiveFile(
        path=safe_path(entry.subdirectory or "", entry.relative_path),
        file_id=entry.ngas_file_id,
        version=entry.version,
        size=entry.size,
        checksum=Checksum.recorded(entry.checksum_type, entry.checksum),
        servers=(entry.server.server,),
    )


def _merge(replicas: Iterable[ArchiveFile], origin: str) -> ArchiveFile:
    first, *others = replicas
    for other in others:
        if (other.file_id, other.version, other.size, other.checksum) != (
            first.file_id,
            first.version,
            first.size,
            first.checksum,
        ):
            raise LocationUnusableError(
                f"The location report {origin} has two different files for {first.path}: "
                f"{first.file_id} version {first.version} and {other.file_id} version {other.version}"
            )
    servers = dict.fromkeys(server for file in (first, *others) for server in file.servers)
    return ArchiveFile(
        path=first.path,
        file_id=first.file_id,
        version=first.version,
        size=first.size,
        checksum=first.checksum,
        servers=tuple(servers),
    )
