import socket
from pathlib import Path

import oracledb
import pytest
from sqlalchemy.exc import DatabaseError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.archive_db import ArchiveDatabase, ArchiveDbSettings
from shared.archive_db.faults import meaning_of
from shared.errors import DependencyAwayError, MisconfiguredError


def oracle_error(text: str, kind: type[DatabaseError] = DatabaseError) -> DatabaseError:
    return kind("SELECT 1", {"secret": "value"}, oracledb.DatabaseError(text))


@pytest.mark.parametrize(
    "text",
    [
        "ORA-12541: TNS:no listener",
        "ORA-01034: ORACLE not available",
        "ORA-03113: end-of-file on communication channel",
        "ORA-01033: ORACLE initialization or shutdown in progress",
        "ORA-12514: TNS:listener does not currently know of service requested",
        "DPY-6005: cannot connect to database. Connection failed with [Errno 111]",
        "DPY-4011: the database or network closed the connection",
        "DPY-4024: call timeout of 30000 ms exceeded",
    ],
)
def test_a_database_that_is_away_means_try_later(text: str) -> None:
    meaning = meaning_of(oracle_error(text))
    assert isinstance(meaning, DependencyAwayError)
    assert meaning.transient
    assert text.split(":")[0] in str(meaning)


@pytest.mark.parametrize(
    "text",
    [
        "ORA-01017: invalid username/password; logon denied",
        "ORA-28000: The account is locked.",
        "ORA-28001: the password has expired",
        "ORA-00942: table or view does not exist",
        'ORA-00904: "DELIVERY_NAME": invalid identifier',
        "DPY-4000: cannot connect to database: unable to find ALMA in tnsnames.ora",
        "DPY-6005: cannot connect to database. ORA-01017: invalid username/password",
        "ORA-00600: internal error code",
    ],
)
def test_what_only_an_operator_can_mend_is_not_tried_again(text: str) -> None:
    meaning = meaning_of(oracle_error(text))
    assert isinstance(meaning, MisconfiguredError)
    assert not meaning.transient


def test_an_operational_error_of_unknown_code_means_try_later() -> None:
    assert isinstance(meaning_of(oracle_error("ORA-99999: new", OperationalError)), DependencyAwayError)


def test_an_exhausted_pool_and_an_unknown_host_mean_try_later() -> None:
    assert isinstance(meaning_of(PoolTimeoutError("QueuePool limit")), DependencyAwayError)
    assert isinstance(meaning_of(socket.gaierror(-2, "Name or service not known")), DependencyAwayError)


def test_an_unusable_url_is_an_operators_matter() -> None:
    assert isinstance(meaning_of(NoSuchModuleError("sqlalchemy.dialects:nodb")), MisconfiguredError)
    with pytest.raises(MisconfiguredError, match="URL"):
        ArchiveDatabase(settings=ArchiveDbSettings.model_validate({"url": "no url at all"}))


def test_an_error_that_is_not_the_databases_is_left_alone() -> None:
    assert meaning_of(ValueError("a bug")) is None


def test_neither_the_statement_nor_its_values_are_shown() -> None:
    assert "secret" not in str(meaning_of(oracle_error("ORA-12541: TNS:no listener")))


def test_a_missing_file_means_try_later(tmp_path: Path) -> None:
    database = ArchiveDatabase(settings=ArchiveDbSettings.model_validate({"url": f"sqlite:///{tmp_path}/none.db"}))
    with pytest.raises(DependencyAwayError, match="unable to open"), database.reading():
        pass
    assert not database.is_ready()
    database.close()


def test_a_file_that_is_no_database_is_an_operators_matter(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, but long enough to be looked at" * 20)
    database = ArchiveDatabase(settings=ArchiveDbSettings.model_validate({"url": f"sqlite:///{tmp_path}/text.db"}))
    with pytest.raises(MisconfiguredError, match="not a database"), database.reading() as connection:
        connection.exec_driver_sql("SELECT * FROM ACCOUNT")
    database.close()
