"""Where the facts of a decision come from: the archive's database."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from sqlalchemy import Connection

from contracts.identifiers import MousUid
from contracts.messages.parts import RestoreRequest
from shared.archive_db import ArchiveDatabase
from shared.entitlement import statements
from shared.entitlement.decide import Facts, MousFacts, PersonFacts
from shared.entitlement.delegees import Delegees, QueriedDelegees


class EntitlementRecords(Protocol):
    """Knows MOUSs and people. Every method raises `DependencyAwayError` if its source does not answer."""

    def together(self) -> AbstractContextManager[object]:
        """Have all that is asked within it, by this thread, be of one state of the source."""

    def mous(self, mous_uid: MousUid) -> MousFacts | None:
        """Return what is known of a MOUS, or None if there is none with this UID."""

    def person(self, request: RestoreRequest) -> PersonFacts:
        """Return what is known of who asks and of who has rights in the project: the entitlement query."""

    def is_ready(self) -> bool:
        """Whether the source answers right now."""

    def close(self) -> None:
        """Release connections."""


def facts_of(request: RestoreRequest, records: EntitlementRecords, *, now: datetime) -> Facts:
    """Gather all that a decision is made of; of a request for calibrators only, nobody looks up the person."""
    with records.together():
        return Facts(
            request=request,
            now=now,
            mous=records.mous(request.mous_uid),
            person=None if request.selection.calibrators_only else records.person(request),
        )


class ArchiveRecords:
    """Reads the facts from the archive's tables.

    Parameters
    ----------
    database
        The tables.
    delivery_column
        Where deliveries have their names.
    delegees
        Knows who may act for a PI; None: the table PROJECT_DELEGEE.
    """

    def __init__(
        self,
        *,
        database: ArchiveDatabase,
        delivery_column: Literal["DELIVERY_NAME", "DELIVERY_ID"] = "DELIVERY_NAME",
        delegees: Delegees | None = None,
    ) -> None:
        self._database = database
        self._delivery_column = delivery_column
        self._delegees = delegees or QueriedDelegees(database=database)

    def together(self) -> AbstractContextManager[object]:
        """Answer from one connection: each of its own would cost as much as what is asked."""
        return self._database.reading()

    def mous(self, mous_uid: MousUid) -> MousFacts | None:
        """Return state, project and release dates of a MOUS, or None if no row has this UID."""
        with self._database.reading() as connection:
            row = connection.execute(statements.mous(), {"mous_uid": mous_uid}).first()
            if row is None:
                return None
            return MousFacts(
                project_code=row.CODE,
                state=row.DOMAIN_ENTITY_STATE,
                has_member_units=row.MEMBERS > 0,
                passed_blocks=row.PASSED,
                release_dates=self._release_dates(connection, row.CODE, mous_uid),
            )

    def person(self, request: RestoreRequest) -> PersonFacts:
        """Return the accounts of who asks, and those of the project's PI and delegees."""
        name, email = request.user_account, request.user_email
        asked = {"email": email.lower()} if name is None else {"email": email.lower(), "account": name.lower()}
        project = {"project_code": request.project_code}
        with self._database.reading() as connection:
            rows = connection.execute(statements.accounts(by_account=name is not None), asked).all()
            pis = connection.execute(statements.principal_investigators(), project).scalars().all()
        return PersonFacts(
            by_account=_lowered(row.ACCOUNT_ID for row in rows if _same(row.ACCOUNT_ID, name)),
            by_email=_lowered(row.ACCOUNT_ID for row in rows if _same(row.EMAIL, email)),
            pis=_lowered(pis),
            delegees=self._delegees.of(request.project_code),
        )

    def is_ready(self) -> bool:
        """Whether the database answers right now."""
        return self._database.is_ready()

    def close(self) -> None:
        """Release the connections."""
        self._database.close()

    def _release_dates(
        self, connection: Connection, project_code: str | None, mous_uid: MousUid
    ) -> tuple[datetime | None, ...]:
        if project_code is None:
            return ()
        delivery = f"{project_code}_{mous_uid.file_form}"
        found = connection.execute(statements.release_dates(self._delivery_column), {"delivery": delivery}).scalars()
        return tuple(date and date.replace(tzinfo=UTC) for date in found)


def _same(found: str | None, given: str | None) -> bool:
    return found is not None and given is not None and found.lower() == given.lower()


def _lowered(names: Iterable[Any]) -> frozenset[str]:
    return frozenset(str(name).lower() for name in names if name is not None)
