"""An operator examines a deployment: real dependencies that are well, and each of them broken."""

import json
import socket
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from sqlalchemy import text
from typer.testing import CliRunner

from alma_restore.cli import app
from services.request_desk.ledger.migrating import migrate
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names
from shared.objects.settings import S3Settings
from tests.support.archive_tables import ArchiveTables
from tests.support.forgetful_s3 import forgetful
from tests.support.mail_server import Mailbox, serving
from tests.support.rabbitmq import RabbitServer
from tests.support.s3 import S3Server, store_environment

Found = dict[str, tuple[str, str, str]]


class Site:
    """A deployment as the environment describes it."""

    def __init__(self, server: RabbitServer) -> None:
        self.environment = {
            "ALMA_RESTORE_BUS__URL": server.url,
            "ALMA_RESTORE_BUS__PREFIX": f"test-{uuid4().hex[:8]}",
            "ALMA_RESTORE_BUS__SETTLE_TIME": "0",
            "ALMA_RESTORE_STORE__KIND": "directory",
            "COLUMNS": "250",
        }

    def run(self, *arguments: str) -> tuple[int, str]:
        done = CliRunner(env=self.environment).invoke(app, arguments)
        return done.exit_code, done.output

    def examine(self, *services: str) -> tuple[int, Found]:
        """Return the exit code, and verdict, finding and advice by what was looked at."""
        code, output = self.run("doctor", *services, "--json")
        rows = [json.loads(line) for line in output.splitlines()]
        return code, {row["check"]: (row["verdict"], row["found"], row["advice"]) for row in rows}


@pytest.fixture(scope="module")
def rabbit() -> Iterator[RabbitServer]:
    with RabbitServer(management=True) as server:
        yield server


@pytest.fixture
def site(rabbit: RabbitServer, tmp_path: Path) -> Site:
    site = Site(rabbit)
    site.environment["ALMA_RESTORE_STORE__ROOT"] = str(tmp_path / "objects")
    return site


def of(subject: str, found: Found) -> dict[str, str]:
    return {check: verdict for check, (verdict, _, _) in found.items() if check.startswith(subject)}


def dead_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_broker_without_queues_is_a_warning_that_applying_the_topology_ends(site: Site) -> None:
    code, before = site.examine("ppr-builder")
    assert (code, before["broker: queues and policies"][0]) == (1, "warn")
    assert "topology apply" in before["broker: queues and policies"][2]
    assert before["broker: journal (stream)"][0] == "fail"
    site.run("topology", "apply")
    code, after = site.examine("ppr-builder")
    assert code == 0
    assert of("broker", after) == {
        "broker: reachable": "ok",
        "broker: version": "ok",
        "broker: queues and policies": "ok",
        "broker: bindings": "warn",
        "broker: journal (stream)": "ok",
        "broker: consumers": "warn",
        "broker: dead letters": "ok",
    }


def test_a_queue_that_differs_fails(site: Site) -> None:
    site.run("topology", "apply")
    site.environment["ALMA_RESTORE_BUS__DELIVERY_LIMIT"] = "7"
    code, found = site.examine("ppr-builder")
    verdict, what, advice = found["broker: queues and policies"]
    assert (code, verdict) == (1, "fail")
    assert "x-delivery-limit" in what
    assert "topology check" in advice


@pytest.fixture
def site_with_management(site: Site, rabbit: RabbitServer) -> Site:
    site.environment["ALMA_RESTORE_BUS__MANAGEMENT_URL"] = f"http://127.0.0.1:{rabbit.management_port}/"
    site.run("topology", "apply")
    return site


def changed(site: Site, change: Callable[[BlockingChannel, Names], object]) -> None:
    """Change the broker behind the services' backs."""
    settings = RabbitSettings.model_validate({"url": site.environment["ALMA_RESTORE_BUS__URL"]})
    with pika.BlockingConnection(settings.parameters("test")) as connection:
        change(connection.channel(), Names(site.environment["ALMA_RESTORE_BUS__PREFIX"]))


def test_a_binding_that_is_missing_is_told_and_made_again(site_with_management: Site) -> None:
    site = site_with_management
    code, whole = site.run("topology", "check")
    assert (code, whole.strip()) == (0, "RabbitMQ has every exchange, queue and binding as it should be")
    changed(
        site,
        lambda channel, names: (
            channel.queue_unbind(names.queue("casa-runner"), names.services, "restore.ordered"),
            channel.exchange_unbind(names.services, names.events, "#"),
        ),
    )
    prefix = site.environment["ALMA_RESTORE_BUS__PREFIX"]
    lost = [
        f"binding {prefix}.services -restore.ordered-> {prefix}.casa-runner",
        f"binding {prefix}.events -#-> {prefix}.services",
    ]
    code, told = site.run("topology", "check")
    assert (code, [name in told for name in lost], told.count("binding ")) == (1, [True, True], 2)
    verdict, found, advice = site.examine("ppr-builder")[1]["broker: bindings"]
    assert (verdict, found, advice) == ("warn", f"missing: {'; '.join(lost)}", "run `alma-restore topology apply`")
    code, applied = site.run("topology", "apply")
    assert (code, applied.splitlines()[:2]) == (0, [f"made {name}" for name in lost])
    assert site.run("topology", "check")[0] == 0
    assert site.examine("ppr-builder")[1]["broker: bindings"][0] == "ok"


def test_a_binding_of_an_earlier_release_is_told_and_removed_only_when_that_is_asked(
    site_with_management: Site,
) -> None:
    site = site_with_management

    def change(channel: BlockingChannel, names: Names) -> None:
        channel.queue_bind(names.queue("notifier"), names.services, "restore.failed")
        onlooker = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(onlooker, names.events, "#")
        code, told = site.run("topology", "check")
        assert (code, told.count("binding "), f"-restore.failed-> {names.queue('notifier')}" in told) == (1, 2, True)
        assert "apply --remove-stale" in told

    changed(site, change)
    assert site.examine("ppr-builder")[1]["broker: bindings"][0] == "warn"
    assert site.run("topology", "apply")[0] == 1
    code, told = site.run("topology", "apply", "--remove-stale")
    assert (code, told.startswith("removed binding")) == (0, True)
    assert site.run("topology", "check")[0] == 0


def test_a_management_plugin_that_lets_nobody_in_or_is_away_is_told_without_its_password(
    site_with_management: Site, rabbit: RabbitServer
) -> None:
    site, place = site_with_management, f"127.0.0.1:{rabbit.management_port}"
    for address, complaint in (
        (f"http://guest:hush-hush@{place}", "rabbitmqctl set_user_tags guest management"),
        (f"http://{place}/elsewhere", "not as RabbitMQ's management plugin does"),
        (f"http://127.0.0.1:{dead_port()}", "rabbitmq-plugins enable rabbitmq_management"),
    ):
        site.environment["ALMA_RESTORE_BUS__MANAGEMENT_URL"] = address
        code, told = site.run("topology", "check")
        assert (code, complaint in told, "hush-hush" in told) == (2, True, False), told
        _, found = site.examine("ppr-builder")
        assert (found["broker: bindings"][0], found["broker: journal (stream)"][0]) == ("fail", "ok")
    del site.environment["ALMA_RESTORE_BUS__MANAGEMENT_URL"]
    code, told = site.run("topology", "apply", "--remove-stale")
    assert (code, "ALMA_RESTORE_BUS__MANAGEMENT_URL" in told) == (2, True)


def test_a_broker_that_takes_long_work_back_fails_with_what_to_set(site: Site, tmp_path: Path) -> None:
    """RabbitMQ 3.10 lets nothing but its configuration file say how long an event may be held."""
    site.environment |= {
        "ALMA_RESTORE_CASA_RUNNER_SCRATCH": str(tmp_path / "scratch"),
        "ALMA_RESTORE_CASA_RUNNER_LAUNCHER__CASA__COMMAND": '["/nowhere/casa"]',
        "ALMA_RESTORE_CASA_RUNNER_LAUNCHER__KIND": "process",
        "ALMA_RESTORE_BUS__BROKER_CONSUMER_TIMEOUT": "60",
        "ALMA_RESTORE_BUS__HOLD_LIMIT": "60",
    }
    site.run("topology", "apply")
    _, found = site.examine("casa-runner")
    verdict, _, advice = found["broker: acknowledgement timeout of casa-runner"]
    assert verdict == "fail"
    assert "consumer_timeout" in advice or "HOLD_LIMIT" in advice
    assert found["CASA: launcher"][0] == "fail"
    assert of("scratch", found).keys() >= {
        "scratch: locks",
        "scratch: directory",
        "scratch: room",
        "scratch: file system",
    }


def test_a_broker_that_is_away_or_lets_nobody_in_fails_and_the_rest_is_examined(site: Site) -> None:
    url = site.environment["ALMA_RESTORE_BUS__URL"]
    for broken in (f"amqp://guest:guest@127.0.0.1:{dead_port()}/%2F", url.replace("guest:guest", "guest:wrong")):
        site.environment["ALMA_RESTORE_BUS__URL"] = broken
        code, found = site.examine("ppr-builder")
        assert (code, found["broker: reachable"][0], found["object store: reachable"][0]) == (1, "fail", "ok")


@pytest.fixture(scope="module")
def store() -> Iterator[S3Settings]:
    with S3Server() as server:
        yield server.settings()


@pytest.fixture
def site_on_s3(site: Site, store: S3Settings) -> Site:
    site.environment |= store_environment(store)
    del site.environment["ALMA_RESTORE_STORE__ROOT"]
    return site


def test_an_s3_server_has_all_that_is_needed_and_its_clock_is_compared(site_on_s3: Site) -> None:
    _, found = site_on_s3.examine("ppr-builder")
    assert of("object store", found) == {
        "object store: reachable": "ok",
        "object store: conditional create": "ok",
        "object store: conditional replace": "ok",
        "object store: multipart and copy": "ok",
        "object store: ranges": "ok",
        "object store: signed links": "ok",
        "object store: clock": "ok",
    }
    site_on_s3.environment["ALMA_RESTORE_STORE__PUBLIC_ENDPOINT"] = f"http://127.0.0.1:{dead_port()}"
    _, found = site_on_s3.examine("ppr-builder")
    assert found["object store: signed links"][0] == "fail"
    site_on_s3.environment["ALMA_RESTORE_STORE__SECRET_KEY"] = "wrong"
    _, found = site_on_s3.examine("ppr-builder")
    assert of("object store", found) == {"object store: reachable": "fail"}


@pytest.mark.parametrize(
    ("forgets", "check"),
    [("if-none-match", "object store: conditional create"), ("if-match", "object store: conditional replace")],
)
def test_a_store_that_forgets_a_condition_fails_with_stores_that_have_them(
    site_on_s3: Site, store: S3Settings, forgets: str, check: str
) -> None:
    with forgetful(store, forgets={forgets}) as endpoint:
        site_on_s3.environment["ALMA_RESTORE_STORE__ENDPOINT"] = endpoint
        code, found = site_on_s3.examine("ppr-builder")
    verdict, what, advice = found[check]
    assert (code, verdict) == (1, "fail")
    assert "was overwritten" in what
    assert "SeaweedFS" in advice
    assert found["object store: multipart and copy"][0] == "ok"


def test_a_mail_server_is_asked_whether_it_takes_our_mails_and_gets_none(site: Site) -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port:
        site.environment |= notifier(port)
        _, found = site.examine("notifier")
        assert (of("mail", found), mailbox.taken) == ({"mail: server": "ok"}, [])
    code, found = site.examine("notifier")
    assert (code, of("mail", found)) == (1, {"mail: server": "fail"})


def notifier(port: int) -> dict[str, str]:
    names = "SENDER NO_REPLY SUPPORT OPERATIONS"
    return {f"ALMA_RESTORE_NOTIFIER_{name}": f"{name.lower()}@example.org" for name in names.split()} | {
        "ALMA_RESTORE_NOTIFIER_PUBLIC_URL": "https://example.org/deliveries",
        "ALMA_RESTORE_NOTIFIER_MESSAGE_ID_DOMAIN": "example.org",
        "ALMA_RESTORE_NOTIFIER_MAIL": json.dumps(
            {"kind": "smtp", "host": "127.0.0.1", "port": port, "security": "none", "timeout_seconds": 2}
        ),
    }


def test_the_archive_s_tables_are_compared_with_what_is_read(site: Site, tmp_path: Path) -> None:
    tables = ArchiveTables(tmp_path)
    tables.fill()
    site.environment["ALMA_RESTORE_ARCHIVE_DB_URL"] = tables.settings().url.get_secret_value()
    _, found = site.examine("entitlement-checker", "metadata-resolver")
    assert of("archive database", found) == {"archive database: reachable": "ok", "archive database: schema": "ok"}
    tables.change(lambda connection: connection.execute(text("DROP TABLE ACCOUNT")))
    code, found = site.examine("entitlement-checker")
    assert (code, found["archive database: schema"][0]) == (1, "fail")
    assert "ACCOUNT" in found["archive database: schema"][1]
    tables.close()


def test_a_ledger_that_was_not_migrated_is_told_of(site: Site, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    site.environment |= {
        "ALMA_RESTORE_REQUEST_DESK_LEDGER_URL": url,
        "ALMA_RESTORE_REQUEST_DESK_LEDGER_MIGRATE": "false",
    }
    code, found = site.examine("request-desk")
    assert (code, found["ledger: tables"][0]) == (1, "fail")
    assert "ledger migrate" in found["ledger: tables"][2]
    migrate(url)
    _, found = site.examine("request-desk")
    assert found["ledger: tables"][0] == "ok"


class Ngas(BaseHTTPRequestHandler):
    """Answers STATUS as a server in a state does."""

    state = "ONLINE"

    def do_GET(self) -> None:
        body = (
            '<?xml version="1.0"?><NgamsStatus><Status Date="2026-01-01T00:00:00.000" HostId="h" '
            f'Message="ok" State="{self.state}" Status="SUCCESS" SubState="IDLE" Version="v"/></NgamsStatus>'
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass


def test_each_archive_server_is_asked_for_its_state_and_one_at_least_is_needed(site: Site, tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), Ngas)
    Thread(target=server.serve_forever, daemon=True).start()
    here, away = f"127.0.0.1:{server.server_port}", f"127.0.0.1:{dead_port()}"
    site.environment |= {
        "ALMA_RESTORE_NGAS_FETCHER_HOSTS": f"{here},{away}",
        "ALMA_RESTORE_NGAS_FETCHER_LOCATION_DIRECTORY": str(tmp_path),
    }
    _, found = site.examine("ngas-fetcher")
    assert of("NGAS", found) == {f"NGAS: {here}": "ok", f"NGAS: {away}": "warn", "NGAS: location reports": "ok"}
    server.shutdown()
    server.server_close()
    site.environment["ALMA_RESTORE_NGAS_FETCHER_LOCATION_DIRECTORY"] = str(tmp_path / "nothing")
    code, found = site.examine("ngas-fetcher")
    assert (code, found["NGAS: servers"][0], found["NGAS: location reports"][0]) == (1, "fail", "fail")


def test_missing_settings_and_an_unknown_service_are_named(site: Site) -> None:
    code, found = site.examine("notifier")
    assert (code, found["notifier: settings"][0]) == (1, "fail")
    assert "ALMA_RESTORE_NOTIFIER_SENDER" in found["notifier: settings"][1]
    code, said = site.run("doctor", "casa-cleaner")
    assert code == 2
    assert "casa-cleaner" in said


def test_people_see_a_line_for_each_finding_what_to_do_and_a_sum(site: Site) -> None:
    site.environment["ALMA_RESTORE_BUS__URL"] = f"amqp://guest:guest@127.0.0.1:{dead_port()}/%2F"
    _, said = site.run("doctor", "ppr-builder")
    lines: Sequence[str] = said.splitlines()
    assert lines[0].startswith("fail broker: reachable:")
    assert lines[1] == "     -> start it, and check ALMA_RESTORE_BUS__URL"
    assert lines[-1] == "5 ok, 0 warn, 1 fail"
