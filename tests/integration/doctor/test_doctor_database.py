"""The doctor looks at a database that is a server: its tables, and what time it is there."""

from collections.abc import Iterator

import pytest

from shared.archive_db import examining
from shared.archive_db.examining import examine_archive
from shared.findings import Verdict
from tests.support.postgresql import PostgresServer, PostgresTables


@pytest.fixture(scope="module")
def tables(postgres_server: PostgresServer) -> Iterator[PostgresTables]:
    tables = PostgresTables(postgres_server)
    tables.fill()
    yield tables
    tables.close()


def verdicts(tables: PostgresTables) -> dict[str, Verdict]:
    found = examine_archive(tables.settings(), delivery_column="DELIVERY_NAME", own_delegees=True)
    return {finding.check: finding.verdict for finding in found}


def test_a_databases_clock_is_compared_with_ours(tables: PostgresTables) -> None:
    assert verdicts(tables) == dict.fromkeys(
        ("archive database: reachable", "archive database: clock", "archive database: schema"), Verdict.OK
    )


def test_a_database_whose_clock_is_ahead_is_told(tables: PostgresTables, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = examining._NOW["postgresql"]
    monkeypatch.setitem(examining._NOW, "postgresql", f"{asked} + interval '10 minutes'")
    assert verdicts(tables)["archive database: clock"] is Verdict.FAIL
