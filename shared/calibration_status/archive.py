"""Read the calibration status of many MOUSs from the archive's tables."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection

from contracts.identifiers import InvalidIdentifierError, MousUid
from shared.archive_db import ArchiveDatabase
from shared.calibration_status import statements
from shared.calibration_status.statements import DeliveryColumn
from shared.calibration_status.status import MousStatus


class ArchiveStatus:
    """Reads statuses, a page at a time and with a connection for each, so that no long transaction is held.

    Parameters
    ----------
    database
        The archive's tables.
    delivery_column
        Where deliveries have their names.
    """

    def __init__(self, *, database: ArchiveDatabase, delivery_column: DeliveryColumn) -> None:
        self._database = database
        self._column = delivery_column

    def page(self, after: str, *, size: int) -> list[str]:
        """Return the UIDs of the MOUSs that follow one in their order."""
        with self._database.reading() as connection:
            return list(connection.execute(statements.mous_page(after, size=size)).scalars())

    def read(self, mous_uids: Sequence[str]) -> dict[str, MousStatus]:
        """Read the status of MOUSs; those that are not there are left out."""
        with self._database.reading() as connection:
            units = connection.execute(statements.states(mous_uids)).all()
            products = {row[0]: row[1:] for row in connection.execute(statements.products(mous_uids))}
            names = {row[0]: f"{row[2]}_{MousUid(row[0]).file_form}" for row in units if row[2] is not None}
            dates = self._dates(connection, list(names.values()))
        return {
            uid: _status(uid, state, code, products.get(uid, (0, 0, 0)), dates.get(names.get(uid, ""), []))
            for uid, state, code in units
        }

    def last_change(self) -> int:
        """Return the number of the last change of state."""
        with self._database.reading() as connection:
            return int(connection.execute(statements.last_change()).scalar() or 0)

    def changed_since(self, number: int) -> set[str]:
        """Return the UIDs of all units whose state has changed since."""
        with self._database.reading() as connection:
            return set(connection.execute(statements.changed_units(number)).scalars())

    def moved_dates(self) -> dict[str, datetime | None]:
        """Return the release dates that were moved, by MOUS UID."""
        with self._database.reading() as connection:
            rows = connection.execute(statements.moved_dates(column=self._column)).all()
        return {uid: _utc(row.RELEASE_DATE) for row in rows if (uid := _mous_of(row.NAME)) is not None}

    def _dates(
        self, connection: Connection, names: Sequence[str]
    ) -> dict[str, list[tuple[datetime | None, datetime | None]]]:
        dates = defaultdict(list)
        for name, valid, original in connection.execute(statements.deliveries(names, column=self._column)):
            dates[name].append((valid, original))
        return dates


def _status(
    uid: str,
    state: str | None,
    code: str | None,
    products: Sequence[int],
    dates: Sequence[tuple[datetime | None, datetime | None]],
) -> MousStatus:
    caltables, manifests, scripts = products
    return MousStatus(
        mous_uid=uid,
        project_code=code,
        state=state,
        release_date=_last(valid for valid, _ in dates),
        is_date_moved=any(valid != original for valid, original in dates),
        caltables=int(caltables),
        manifests=int(manifests),
        scripts=int(scripts),
    )


def _last(dates: Iterable[datetime | None]) -> datetime | None:
    found = list(dates)
    known = [date for date in found if date is not None]
    return _utc(max(known)) if known and len(known) == len(found) else None


def _utc(time: datetime | None) -> datetime | None:
    return time and time.replace(tzinfo=UTC)


def _mous_of(delivery: str | None) -> str | None:
    """Return the MOUS in ``<project code>_<MOUS UID>``; None for a delivery that is named otherwise."""
    try:
        return MousUid((delivery or "").partition("_")[2])
    except InvalidIdentifierError:
        return None
