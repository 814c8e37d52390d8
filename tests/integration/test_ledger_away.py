"""A ledger whose PostgreSQL is away loses nothing: it goes on where it was."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag

import pytest
import structlog
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from typer.testing import CliRunner

from alma_restore.cli import app
from services.request_desk.ledger import database
from services.request_desk.ledger.keeping import Keeping, open_ledger
from services.request_desk.ledger.migrating import migrate
from services.request_desk.ledger.settings import LedgerSettings
from services.request_desk.ledger.store import SqlLedger
from shared.bus.memory import MemoryBus
from shared.errors import DependencyAwayError, MisconfiguredError
from tests.contract.ledger_harness import postgresql_url
from tests.support.postgresql import PostgresServer
from tests.support.stories import Story


@pytest.fixture
def ledger(postgres_server: PostgresServer) -> Iterator[SqlLedger]:
    opened = open_ledger(LedgerSettings(url=SecretStr(postgresql_url(postgres_server))))
    yield opened
    opened.close()


def test_what_is_said_while_the_database_is_away_is_recorded_when_it_is_back(
    ledger: SqlLedger, postgres_server: PostgresServer
) -> None:
    story, came = Story(), Flag()
    story.refused()
    bus = MemoryBus()
    bus.declare({"notifier": ("request.refused",)})
    keeping = Keeping(ledger=ledger, registry=CollectorRegistry(), interval=60)
    keeping.oversee(bus)
    ledger.watch(lambda _id, _change: came.set())
    assert keeping.is_ready()
    postgres_server.stop()
    bus.publish(story.events)
    assert not keeping.is_ready()
    with pytest.raises(DependencyAwayError, match="database is away"):
        ledger.record(story.events[0])
    postgres_server.start()
    assert came.wait(30)
    bus.drain(30)
    record = ledger.request(story.request.request_id)
    assert record is not None
    assert record.mails
    assert keeping.is_ready()
    bus.close()


def test_a_connection_that_was_idle_while_the_server_was_started_anew_is_made_anew(
    ledger: SqlLedger, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_TRUSTED", 0.0)
    story = Story()
    ledger.record(story.submitted())
    postgres_server.stop()
    postgres_server.start()
    assert ledger.request(story.request.request_id) is not None


def test_one_that_was_used_just_before_is_found_dead_once(
    ledger: SqlLedger, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_TRUSTED", 3600.0)
    ledger.last_change()
    postgres_server.stop()
    postgres_server.start()
    with pytest.raises(DependencyAwayError, match="database is away"):
        ledger.last_change()
    ledger.last_change()


def test_a_database_that_is_not_there_is_not_called_one_that_has_to_be_migrated(
    postgres_server: PostgresServer,
) -> None:
    url = postgres_server.url("nothing").render_as_string(hide_password=False)
    with pytest.raises(MisconfiguredError) as refused:
        migrate(url)
    assert 'database "nothing" does not exist; check ALMA_RESTORE_REQUEST_DESK_LEDGER_URL' in str(refused.value)
    with pytest.raises(MisconfiguredError, match="run `alma-restore ledger migrate`"):
        SqlLedger(url=postgresql_url(postgres_server)).last_change()


def test_what_is_logged_while_a_command_reads_the_ledger_is_not_in_its_answer(tmp_path: Path) -> None:
    environment = {"ALMA_RESTORE_REQUEST_DESK_LEDGER_URL": f"sqlite:///{tmp_path / 'ledger.db'}"}
    done = CliRunner(env=environment).invoke(app, ["ledger", "stuck"])
    structlog.reset_defaults()
    assert (done.exit_code, done.stdout) == (0, "no request is stuck\n")
