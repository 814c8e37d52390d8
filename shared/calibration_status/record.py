"""The local record of calibration status: a SQLite file that answers without the archive."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    event,
    func,
    inspect,
    select,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError

from shared.calibration_status.status import DELIVERED, Change, MousStatus
from shared.errors import MisconfiguredError

_METADATA = MetaData()
_STATUS = Table(
    "mous_status",
    _METADATA,
    Column("mous_uid", String, primary_key=True),
    Column("project_code", String),
    Column("state", String),
    Column("release_date", DateTime),
    Column("is_date_moved", Boolean, nullable=False),
    Column("caltables", Integer, nullable=False),
    Column("manifests", Integer, nullable=False),
    Column("scripts", Integer, nullable=False),
    sqlite_with_rowid=False,
)
Index("mous_status_moved", _STATUS.c.mous_uid, sqlite_where=_STATUS.c.is_date_moved)
Index("mous_status_missing", _STATUS.c.mous_uid, sqlite_where=_STATUS.c.caltables == 0)
_CURSOR = Table("cursor", _METADATA, Column("name", String, primary_key=True), Column("value", String, nullable=False))


class StatusRecord:
    """Holds the last known status of every MOUS. One process writes; others may read.

    Parameters
    ----------
    path
        The file, which is made if it is missing.
    must_exist
        Only read: a file that is missing or holds no record is refused and left as it is.

    Raises
    ------
    MisconfiguredError
        If the file cannot be made or is none of ours.
    """

    def __init__(self, path: Path, *, must_exist: bool = False) -> None:
        self._engine = create_engine(f"sqlite:///{path.absolute()}")
        if must_exist:
            self._refuse_other(path)
            return
        event.listen(self._engine, "connect", _readers_do_not_wait)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _METADATA.create_all(self._engine)
        except (DatabaseError, OSError) as error:
            raise MisconfiguredError(
                f"the record of calibration status {path}: {error}; set ALMA_RESTORE_CALIBRATION_STATUS_PATH"
            ) from error

    def _refuse_other(self, path: Path) -> None:
        advice = "make it by `alma-restore refresh`, or set ALMA_RESTORE_CALIBRATION_STATUS_PATH to where it is"
        try:
            if not path.is_file() or not inspect(self._engine).has_table(_STATUS.name):
                raise MisconfiguredError(f"there is no record of calibration status in {path}: {advice}")
        except (DatabaseError, OSError) as error:
            raise MisconfiguredError(f"the record of calibration status {path}: {error}; {advice}") from error

    def get(self, mous_uid: str) -> MousStatus | None:
        """Return what is recorded of a MOUS; None if it is not known here."""
        with self._engine.connect() as connection:
            return _read(connection, [mous_uid]).get(mous_uid)

    def is_restorable(self, mous_uid: str, *, restore_manual: bool = False) -> bool | None:
        """Whether a MOUS could be restored when the record was last refreshed; None if it is not known here."""
        status = self.get(mous_uid)
        return None if status is None else status.is_restorable(restore_manual=restore_manual)

    def count(self) -> int:
        """Return how many MOUSs are recorded."""
        with self._engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(_STATUS)).scalar_one()

    def moved_dates(self) -> dict[str, datetime | None]:
        """Return the release dates that are known to be moved, by MOUS UID."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(_STATUS.c.mous_uid, _STATUS.c.release_date).where(_STATUS.c.is_date_moved))
            return {uid: _utc(date) for uid, date in rows}

    def without_calibration(self, after: str, *, limit: int) -> list[str]:
        """Return delivered MOUSs without calibration tables that follow one in their order."""
        wanted = (_STATUS.c.caltables == 0, _STATUS.c.state == DELIVERED, _STATUS.c.mous_uid > after)
        with self._engine.connect() as connection:
            page = select(_STATUS.c.mous_uid).where(*wanted).order_by(_STATUS.c.mous_uid).limit(limit)
            return list(connection.execute(page).scalars())

    def update(
        self,
        mous_uids: Sequence[str],
        found: Mapping[str, MousStatus],
        *,
        cursor: tuple[str, str] | None = None,
        after: str | None = None,
    ) -> list[Change]:
        """Record what was found of MOUSs, and return what that changes.

        Parameters
        ----------
        mous_uids
            The MOUSs that were asked for.
        found
            Those that are there; others of ``mous_uids`` are removed.
        cursor
            A cursor that is moved in the same transaction: name and value.
        after
            In a full pass: where the page begins. What is recorded between there and its end, and not in it, is gone.
        """
        with self._engine.begin() as connection:
            before = _read(connection, mous_uids)
            if after is not None:
                before |= _between(connection, after, mous_uids[-1])
            pairs = ((before.get(uid), found.get(uid)) for uid in {**before, **dict.fromkeys(mous_uids)})
            changes = [Change(old, new) for old, new in pairs if old != new]
            _write(connection, changes)
            if cursor is not None:
                _move(connection, *cursor)
        return changes

    def remove_after(self, mous_uid: str) -> list[Change]:
        """Remove what is recorded after the last MOUS of a full pass."""
        with self._engine.begin() as connection:
            changes = [Change(status, None) for status in _between(connection, mous_uid, None).values()]
            _write(connection, changes)
        return changes

    def cursor(self, name: str) -> str:
        """Return a cursor's value; empty if it was never moved."""
        with self._engine.connect() as connection:
            return connection.execute(select(_CURSOR.c.value).where(_CURSOR.c.name == name)).scalar() or ""

    def move(self, name: str, value: str) -> None:
        """Move a cursor."""
        with self._engine.begin() as connection:
            _move(connection, name, value)

    def close(self) -> None:
        """Release the file."""
        self._engine.dispose()


def _readers_do_not_wait(connection: Any, _entry: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _read(connection: Connection, mous_uids: Sequence[str]) -> dict[str, MousStatus]:
    return _statuses(connection.execute(select(_STATUS).where(_STATUS.c.mous_uid.in_(mous_uids))))


def _between(connection: Connection, after: str, last: str | None) -> dict[str, MousStatus]:
    page = select(_STATUS).where(_STATUS.c.mous_uid > after)
    return _statuses(connection.execute(page if last is None else page.where(_STATUS.c.mous_uid <= last)))


def _statuses(rows: Any) -> dict[str, MousStatus]:
    found = (MousStatus(**row._mapping) for row in rows)
    return {status.mous_uid: replace(status, release_date=_utc(status.release_date)) for status in found}


def _write(connection: Connection, changes: Sequence[Change]) -> None:
    new = [asdict(change.after) for change in changes if change.after is not None]
    gone = [change.before.mous_uid for change in changes if change.after is None and change.before is not None]
    if new:
        for row in new:
            row["release_date"] = row["release_date"] and row["release_date"].replace(tzinfo=None)
        upsert = insert(_STATUS)
        columns = {column.name: upsert.excluded[column.name] for column in _STATUS.c if not column.primary_key}
        connection.execute(upsert.on_conflict_do_update(index_elements=["mous_uid"], set_=columns), new)
    if gone:
        connection.execute(delete(_STATUS).where(_STATUS.c.mous_uid.in_(gone)))


def _move(connection: Connection, name: str, value: str) -> None:
    row = insert(_CURSOR).values(name=name, value=value)
    connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


def _utc(time: datetime | None) -> datetime | None:
    return time and time.replace(tzinfo=UTC)
