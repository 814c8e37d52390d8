"""The doctor looks at a database that is a server: its tables, and what time it is there."""

import pytest

from shared.archive_db import examining
from shared.archive_db.examining import examine_archive
from shared.findings import Verdict
from tests.support.postgresql import PostgresTables


def verdicts(tables: PostgresTables) -> dict[str, Verdict]:
    found = examine_archive(tables.settings(), delivery_column="DELIVERY_NAME", own_delegees=True)
    return {finding.check: finding.verdict for finding in found}


def test_a_databases_clock_is_compared_with_ours(postgres_tables: PostgresTables) -> None:
    assert verdicts(postgres_tables) == dict.fromkeys(
        ("archive database: reachable", "archive database: clock", "archive database: schema"), Verdict.OK
    )


def test_a_database_whose_clock_is_ahead_is_told(
    postgres_tables: PostgresTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = examining._NOW["postgresql"]
    monkeypatch.setitem(examining._NOW, "postgresql", f"{asked} + interval '10 minutes'")
    assert verdicts(postgres_tables)["archive database: clock"] is Verdict.FAIL
