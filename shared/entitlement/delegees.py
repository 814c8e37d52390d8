"""Who may act for a project's PI: the one question whose answer ALMA keeps in no public table."""

from typing import Protocol

from contracts.identifiers import ProjectCode
from shared.archive_db import ArchiveDatabase
from shared.entitlement import statements


class Delegees(Protocol):
    """Knows delegees. A site that keeps them elsewhere than in a database gives an adapter of its own."""

    def of(self, project_code: ProjectCode) -> frozenset[str]:
        """Return the account ids, in lower case, of those who may have a project's data for its PI.

        Raises
        ------
        DependencyAwayError
            If the source does not answer.
        """


class QueriedDelegees:
    """Asks the archive's database.

    Parameters
    ----------
    database
        Where the table is.
    query
        The site's own SQL, whose first column gives account ids by ``:project_code``; None reads the table
        PROJECT_DELEGEE.
    """

    def __init__(self, *, database: ArchiveDatabase, query: str | None = None) -> None:
        self._database = database
        self._query = query

    def of(self, project_code: ProjectCode) -> frozenset[str]:
        """Return the delegees of a project; see `Delegees.of`."""
        with self._database.reading() as connection:
            rows = connection.execute(statements.delegees(self._query), {"project_code": project_code}).all()
        return frozenset(str(row[0]).lower() for row in rows if row[0] is not None)
