"""The demo's metadata database in a file of a test's own, and the services' way into it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import ClauseElement, Connection, Engine
from sqlalchemy.dialects.oracle.oracledb import OracleDialect_oracledb

from observatory.metadata import create_tables, fill, sqlite_url
from observatory.metadata_demo import ACCOUNTS, MOUSS
from observatory.metadata_entities import DemoAccount, DemoMous
from shared.archive_db import ArchiveDatabase, ArchiveDbSettings

_ORACLE = OracleDialect_oracledb()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves its dialects untyped


class FilledTables:
    """A database with the demo's tables that a test may change while services read it.

    Parameters
    ----------
    engine
        May write to the database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def fill(
        self,
        *,
        accounts: Iterable[DemoAccount] = ACCOUNTS,
        mouss: Iterable[DemoMous] = MOUSS,
        caltables: bool = True,
    ) -> None:
        """Add the demo's rows; each MOUS gets caltables for its sessions unless told otherwise."""
        mouss = tuple(mouss)
        products = {mous.uid: caltables_of(mous) for mous in mouss} if caltables else {}
        fill(self._engine, accounts=accounts, mouss=mouss, product_files=products)

    def change(self, action: Callable[[Connection], object]) -> None:
        """Change the tables in a transaction."""
        with self._engine.begin() as connection:
            action(connection)

    def settings(self) -> ArchiveDbSettings:
        """Return the settings by which a service reads these tables."""
        raise NotImplementedError

    def open(self) -> ArchiveDatabase:
        """Open the tables as a service does."""
        return ArchiveDatabase(settings=self.settings())

    def close(self) -> None:
        """Release the writing engine."""
        self._engine.dispose()


class ArchiveTables(FilledTables):
    """The tables in a SQLite file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "archive.db"
        super().__init__(create_tables(self.path))

    def settings(self) -> ArchiveDbSettings:
        """Return the settings by which a service reads these tables."""
        return ArchiveDbSettings.model_validate({"url": sqlite_url(self.path)})


def caltables_of(mous: DemoMous) -> list[tuple[str, int]]:
    """Name the caltables of every session that has execution blocks, as Cycle 5 does."""
    return [
        (f"member.{mous.uid.file_form}.session_{number}.caltables.tgz", 1000 + number)
        for number, session in enumerate(mous.sessions, start=1)
        if session.blocks
    ]


def oracle_sql(statement: ClauseElement, *, owner: str | None = None) -> str:
    """Compile a statement as the driver sends it to Oracle."""
    options: dict[str, Any] = {"dialect": _ORACLE, "compile_kwargs": {"render_postcompile": True}}
    if owner is not None:
        options |= {"schema_translate_map": {None: owner}, "render_schema_translate": True}
    return str(statement.compile(**options))
