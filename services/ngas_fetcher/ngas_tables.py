"""Where the files of an execution block are, from NGAS's own tables.

A block is one package (its file id is the UID without ``uid://``, or ``<EB>.asdm.sdm.tar``),
or its tables are files ``<EB>.<table>.xml|bin`` and its binary data files of their own UIDs,
which the Main table names.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Integer, MetaData, Select, String, Table, or_, select

from contracts.identifiers import ExecBlockUid
from contracts.reasons import ReasonCode
from services.ngas_fetcher.checksums import Checksum, UnreadableChecksumError
from services.ngas_fetcher.completeness import BINARY_DIRECTORY, MAIN_TABLE, UnreadableMainTableError, binary_paths
from services.ngas_fetcher.errors import LocationUnusableError
from services.ngas_fetcher.holding import Holding
from services.ngas_fetcher.location import ArchiveFile, AsdmLocation
from services.ngas_fetcher.locator import holding_of
from shared.archive_db.database import ArchiveDatabase
from shared.errors import BlockFailedError

_IDS_AT_ONCE = 500
_NGAS = MetaData()
_OK = "0" * 8
_FILES = Table(
    "ngas_files",
    _NGAS,
    Column("disk_id", String(128), primary_key=True),
    Column("file_id", String(64), primary_key=True),
    Column("file_version", Integer, primary_key=True),
    Column("file_size", BigInteger),
    Column("file_ignore", Integer),
    Column("checksum", String(64)),
    Column("checksum_plugin", String(64)),
    Column("file_status", String(8)),
)
_DISKS = Table(
    "ngas_disks",
    _NGAS,
    Column("disk_id", String(128), primary_key=True),
    Column("host_id", String(32)),
    Column("mounted", Integer),
)
_HOSTS = Table(
    "ngas_hosts",
    _NGAS,
    Column("host_id", String(32), primary_key=True),
    Column("domain", String(30)),
    Column("srv_port", Integer),
    Column("cluster_name", String(16)),
)

READ: dict[Table, tuple[Column[Any], ...]] = {table: tuple(table.columns) for table in (_FILES, _DISKS, _HOSTS)}
"""Columns that statements name, by table."""

ReadFile = Callable[[ArchiveFile], bytes]
"""Gets a small file from NGAS, verified."""


def replicas(file_ids: Sequence[str], prefix: str = "") -> Select[Any]:
    """Select all good replicas of files on mounted disks: those with these ids, and those whose id begins so."""
    files, disks, hosts = _FILES.c, _DISKS.c, _HOSTS.c
    wanted: ColumnElement[bool] = files.file_id.in_(file_ids)
    if prefix:
        wanted = or_(wanted, files.file_id.startswith(prefix, autoescape=True))
    return (
        select(
            files.file_id,
            files.file_version,
            files.file_size,
            files.checksum,
            files.checksum_plugin,
            hosts.host_id,
            hosts.domain,
            hosts.srv_port,
            hosts.cluster_name,
        )
        .join(_DISKS, disks.disk_id == files.disk_id)
        .join(_HOSTS, hosts.host_id == disks.host_id)
        .where(wanted, files.file_ignore == 0, disks.mounted == 1, files.file_status == _OK)
        .order_by(files.file_id, files.file_version.desc(), hosts.host_id)
    )


class NgasTables:
    """Finds execution blocks in ``ngas_files``, ``ngas_disks`` and ``ngas_hosts``.

    Parameters
    ----------
    database
        Holds the tables.
    read
        Reads a Main table, to know the binary data.
    hosts, clusters
        Servers and clusters that are asked before others, in order.
    """

    def __init__(
        self, *, database: ArchiveDatabase, read: ReadFile, hosts: Sequence[str] = (), clusters: Sequence[str] = ()
    ) -> None:
        self._database = database
        self._read = read
        self._hosts = tuple(hosts)
        self._clusters = tuple(clusters)

    def locate(self, eb_uid: ExecBlockUid) -> Holding:
        """Find the newest version of each file and all its replicas; see `locator.Source.locate`."""
        packages = (eb_uid.removeprefix("uid://"), f"{eb_uid.file_form}.asdm.sdm.tar")
        found = self._find(packages, f"{eb_uid.file_form}.")
        for name in packages:
            if name in found:
                return self._holding(eb_uid, [found[name]])
        tables = [_renamed(file, path) for file in found.values() if (path := _table_path(file.file_id, eb_uid))]
        main = next((file for file in tables if file.path == MAIN_TABLE), None)
        if main is None:
            raise BlockFailedError(
                ReasonCode.FILE_NOT_IN_ARCHIVE,
                f"{eb_uid}: NGAS's tables have neither {' nor '.join(packages)} nor {eb_uid.file_form}.{MAIN_TABLE}",
            )
        return self._holding(eb_uid, [*tables, *self._binaries(eb_uid, main)])

    def _binaries(self, eb_uid: ExecBlockUid, main: ArchiveFile) -> list[ArchiveFile]:
        """Find the binary data that the Main table names; what lacks is told when the block is staged."""
        try:
            paths = binary_paths([self._read(main)])
        except UnreadableMainTableError as error:
            raise BlockFailedError(ReasonCode.ASDM_INCOMPLETE, f"{eb_uid}: {error}") from error
        by_id = {_binary_id(path): path for path in sorted(paths)}
        return [_renamed(file, by_id[file_id]) for file_id, file in self._find(list(by_id)).items()]

    def _find(self, file_ids: Sequence[str], prefix: str = "") -> dict[str, ArchiveFile]:
        found: dict[str, ArchiveFile] = {}
        with self._database.reading() as connection:
            for start in range(0, len(file_ids), _IDS_AT_ONCE):
                rows = connection.execute(replicas(file_ids[start : start + _IDS_AT_ONCE], prefix)).all()
                for file_id, versions in groupby(rows, key=lambda row: str(row.file_id)):
                    found[file_id] = newest(versions, self._clusters)
        return found

    def _holding(self, eb_uid: ExecBlockUid, files: Iterable[ArchiveFile]) -> Holding:
        location = AsdmLocation(eb_uid=eb_uid, files=tuple(sorted(files, key=lambda file: file.path)))
        return holding_of(location, self._hosts)


def newest(rows: Iterable[Any], clusters: Sequence[str]) -> ArchiveFile:
    """Pin the newest version of a file, with the servers that have it as this version records it.

    Parameters
    ----------
    rows
        Its replicas, newest version first.
    clusters
        Clusters that are asked before others, in order.

    Raises
    ------
    LocationUnusableError
        If the checksum is of an unknown kind.
    """
    rank = {cluster: number for number, cluster in enumerate(clusters)}
    first, *others = rows
    same = [
        row
        for row in (first, *others)
        if (row.file_version, row.file_size, row.checksum) == (first.file_version, first.file_size, first.checksum)
    ]
    same.sort(key=lambda row: rank.get(row.cluster_name, len(rank)))
    try:
        checksum = Checksum.recorded(first.checksum_plugin, first.checksum)
    except UnreadableChecksumError as error:
        raise LocationUnusableError(f"NGAS's tables record {first.file_id} with an unusable {error}") from error
    return ArchiveFile(
        path=str(first.file_id),
        file_id=str(first.file_id),
        version=int(first.file_version),
        size=int(first.file_size),
        checksum=checksum,
        servers=tuple(dict.fromkeys(_address(row) for row in same)),
    )


def _address(row: Any) -> str:
    """Make ``host.domain:port`` of an NGAS host id, which may end with ``:port`` itself."""
    host = str(row.host_id).partition(":")[0]
    domain = str(row.domain or "").strip(".")
    return f"{host}.{domain}:{row.srv_port}" if domain and "." not in host else f"{host}:{row.srv_port}"


def _renamed(file: ArchiveFile, path: str) -> ArchiveFile:
    return ArchiveFile(
        path=path,
        file_id=file.file_id,
        version=file.version,
        size=file.size,
        checksum=file.checksum,
        servers=file.servers,
    )


def _table_path(file_id: str, eb_uid: ExecBlockUid) -> str | None:
    """Tell which table of the ASDM a file is; the names of a block's products begin like those of its tables."""
    path = file_id.removeprefix(f"{eb_uid.file_form}.")
    return path if re.fullmatch(r"\w+\.(?:xml|bin)", path) else None


def _binary_id(path: str) -> str:
    return path.removeprefix(f"{BINARY_DIRECTORY}/").removeprefix("uid___").replace("_", "/")
