"""The ledger's tables are made by migrations, and are those that the ledger reads and writes."""

from pathlib import Path
from threading import Thread

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text

from services.request_desk.ledger.base import Ledger
from services.request_desk.ledger.database import open_engine, reading, writing
from services.request_desk.ledger.migrating import FOLDER, Migration, migrate, newest, revision_of
from services.request_desk.ledger.store import SqlLedger
from services.request_desk.ledger.tables import METADATA
from shared.errors import MisconfiguredError
from tests.support.stories import Story


def test_migrating_twice_does_nothing_the_second_time(url: str) -> None:
    assert revision_of(url) is None
    assert migrate(url) == Migration(before=None, after=newest())
    assert migrate(url) == Migration(before=newest(), after=newest())
    assert revision_of(url) == newest()


def test_the_migrated_tables_are_those_of_the_code(url: str) -> None:
    migrate(url)
    engine = open_engine(url)
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_when_events_were_said_is_drawn_from_what_an_earlier_release_kept(url: str) -> None:
    migrate(url)
    story, ledger = Story(), SqlLedger(url=url)
    story.delivered()
    ledger.record_all(story.events)
    since = story.events[3].time
    told = ledger.rates(since), ledger.delivery_seconds(since)
    engine, config = open_engine(url), Config()
    config.set_main_option("script_location", str(FOLDER))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    engine.dispose()
    assert migrate(url) == Migration(before="0001", after=newest())
    assert (ledger.rates(since), ledger.delivery_seconds(since)) == told
    ledger.close()


def test_several_processes_may_migrate_at_once(url: str) -> None:
    done: list[Migration] = []
    threads = [Thread(target=lambda: done.append(migrate(url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.before or "" for each in done) == ["", newest(), newest(), newest()]


def test_tables_of_a_newer_release_are_left_alone(url: str) -> None:
    migrate(url)
    engine = open_engine(url)
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(MisconfiguredError, match="9999, which this release does not know"):
        migrate(url)


def test_a_ledger_without_tables_says_what_to_do(url: str) -> None:
    ledger: Ledger = SqlLedger(url=url)
    with pytest.raises(MisconfiguredError, match="alma-restore ledger migrate"):
        ledger.record(Story().submitted())
    assert not ledger.is_ready()
    ledger.close()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("no url", "cannot be read"),
        ("oracle://x", "use sqlite or postgresql"),
        ("sqlite://", "must be a file"),
        ("sqlite:////proc/none/ledger.db", "cannot be made"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(wrong: str, told: str) -> None:
    with pytest.raises(MisconfiguredError, match=told):
        open_engine(wrong)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no database" * 1000)
    with pytest.raises(MisconfiguredError, match="not a database"):
        migrate(f"sqlite:///{tmp_path / 'ledger.db'}")
