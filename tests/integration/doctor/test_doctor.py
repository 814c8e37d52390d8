"""An operator examines a deployment: real dependencies that are well, and each of them broken."""

import json
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import text

from services.request_desk.ledger.database import open_engine, writing
from services.request_desk.ledger.migrating import migrate
from shared.objects.settings import S3Settings
from tests.support.archive_tables import ArchiveTables
from tests.support.examined_site import Site, dead_port, of
from tests.support.forgetful_s3 import forgetful
from tests.support.mail_server import Mailbox, serving
from tests.support.oidc_provider import AUDIENCE, CLIENT, OidcProviderServer
from tests.support.s3 import S3Server, store_environment


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
    ("variable", "value", "said"),
    [
        ("ACCESS_KEY", "nobody", "set access_key and secret_key to ones that may use this bucket"),
        ("SECRET_KEY", "wrong", "set access_key and secret_key to ones that may use this bucket"),
        ("BUCKET", "another", " has no bucket another"),
        ("ENDPOINT", "http://127.0.0.1:1", "the S3 server does not answer (Connection refused); is it running there?"),
    ],
)
def test_a_store_that_cannot_be_used_is_told_with_what_is_wrong(
    site_on_s3: Site, variable: str, value: str, said: str
) -> None:
    site_on_s3.environment |= {"ALMA_RESTORE_STORE__CREATE_BUCKET": "false", f"ALMA_RESTORE_STORE__{variable}": value}
    code, found = site_on_s3.examine("ppr-builder")
    verdict, what, _ = found["object store: reachable"]
    assert (code, verdict, said in what) == (1, "fail", True), what
    assert "HTTPConnectionPool" not in what


@pytest.mark.parametrize(
    ("forgets", "check", "ahead", "clock"),
    [
        ("if-none-match", "object store: conditional create", 30, "warn"),
        ("if-match", "object store: conditional replace", -600, "fail"),
    ],
)
def test_a_store_that_forgets_a_condition_fails_with_stores_that_have_them_and_its_clock_is_compared(
    site_on_s3: Site, store: S3Settings, forgets: str, check: str, ahead: float, clock: str
) -> None:
    with forgetful(store, forgets={forgets}, ahead=ahead) as endpoint:
        site_on_s3.environment["ALMA_RESTORE_STORE__ENDPOINT"] = endpoint
        code, found = site_on_s3.examine("ppr-builder")
    verdict, what, advice = found[check]
    assert (code, verdict) == (1, "fail")
    assert "was overwritten" in what
    assert "SeaweedFS" in advice
    assert found["object store: multipart and copy"][0] == "ok"
    assert (found["object store: clock"][0], "time server" in found["object store: clock"][2]) == (clock, True)


def test_a_mail_server_is_asked_whether_it_takes_our_mails_and_gets_none(site: Site, tmp_path: Path) -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port:
        site.environment |= notifier(port)
        _, found = site.examine("notifier")
        assert (of("mail", found), mailbox.taken) == ({"mail: server": "ok"}, [])
    assert of("broker: acknowledgement", found) == {}
    site.environment["ALMA_RESTORE_NOTIFIER_DELIVERIES"] = str(tmp_path)
    code, found = site.examine("notifier")
    assert (code, of("mail", found)) == (1, {"mail: server": "fail"})
    assert of("broker: acknowledgement", found) == {"broker: acknowledgement timeout of notifier": "fail"}


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
    # The resolver asks no account, and has no setting of the checker.
    site.environment["ALMA_RESTORE_ENTITLEMENT_CHECKER_DELEGEE_QUERY"] = "SELECT 1"
    code, found = site.examine("metadata-resolver")
    assert (of("archive database", found), of("metadata-resolver", found)) == (
        {"archive database: reachable": "ok", "archive database: schema": "ok"},
        {},
    )
    del site.environment["ALMA_RESTORE_ENTITLEMENT_CHECKER_DELEGEE_QUERY"]
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
    engine = open_engine(url)
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    _, found = site.examine("request-desk")
    assert (found["ledger: tables"][0], "later release (9999;" in found["ledger: tables"][1]) == ("warn", True)
    site.environment["ALMA_RESTORE_REQUEST_DESK_LEDGER_MIGRATE"] = "true"
    _, found = site.examine("request-desk")
    assert (found["ledger: tables"][0], "LEDGER_MIGRATE=false" in found["ledger: tables"][2]) == ("fail", True)


def test_a_desk_has_all_examined_that_it_is_given(site: Site, tmp_path: Path) -> None:
    _, found = site.examine("request-desk")
    of_desk = ("ledger", "trigger", "sign-in", "archive")
    assert [of(subject, found) for subject in of_desk] == [
        {"ledger: database": "warn"},
        {"trigger files: directory": "ok"},
        {},
        {},
    ]
    tables = ArchiveTables(tmp_path)
    with OidcProviderServer() as provider:
        site.environment |= {
            "ALMA_RESTORE_REQUEST_DESK_TRIGGERS": str(tmp_path / "nothing"),
            "ALMA_RESTORE_REQUEST_DESK_WEB_PORT": "0",
            "ALMA_RESTORE_REQUEST_DESK_WEB_SIGN_IN__KIND": "oidc",
            "ALMA_RESTORE_REQUEST_DESK_WEB_SIGN_IN__ISSUER": provider.issuer,
            "ALMA_RESTORE_REQUEST_DESK_WEB_SIGN_IN__CLIENT_ID": CLIENT,
            "ALMA_RESTORE_REQUEST_DESK_WEB_SIGN_IN__AUDIENCE": AUDIENCE,
            "ALMA_RESTORE_REQUEST_DESK_ARCHIVE": "true",
            "ALMA_RESTORE_ARCHIVE_DB_URL": tables.settings().url.get_secret_value(),
        }
        code, found = site.examine("request-desk")
    tables.close()
    assert (code, of("ledger", found)) == (1, {"ledger: database": "fail"})
    assert of("trigger", found) == {"trigger files: directory": "fail"}
    assert of("sign-in", found) == {"sign-in: provider": "ok", "sign-in: issuer": "ok", "sign-in: keys": "ok"}
    assert of("archive", found) == {"archive database: reachable": "ok", "archive database: schema": "ok"}
    site.environment["ALMA_RESTORE_ARCHIVE_DB_URL"] = f"sqlite:///{tmp_path / 'none.db'}"
    _, found = site.examine("request-desk")
    assert of("archive", found) == {"archive database: reachable": "fail"}


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
    tables = ArchiveTables(tmp_path)
    site.environment |= {
        "ALMA_RESTORE_NGAS_FETCHER_SOURCE": "tables",
        "ALMA_RESTORE_ARCHIVE_DB_URL": tables.settings().url.get_secret_value(),
    }
    _, found = site.examine("ngas-fetcher")
    tables.close()
    assert of("NGAS tables", found) == {"NGAS tables: reachable": "ok", "NGAS tables: schema": "fail"}


def test_missing_settings_and_an_unknown_service_are_named(site: Site) -> None:
    code, found = site.examine("notifier")
    assert (code, found["notifier: settings"][0]) == (1, "fail")
    assert "ALMA_RESTORE_NOTIFIER_SENDER" in found["notifier: settings"][1]
    code, said = site.run("doctor", "casa-cleaner")
    assert code == 2
    assert "casa-cleaner" in said


def test_what_is_not_set_or_set_wrongly_keeps_nothing_else_from_being_examined(site: Site) -> None:
    del site.environment["ALMA_RESTORE_STORE__KIND"]
    site.environment["ALMA_RESTORE_LOG_LEVEL"] = "LOUD"
    code, found = site.examine("ppr-builder")
    assert (code, found["broker: reachable"][0]) == (1, "ok")
    assert "ALMA_RESTORE_LOG_LEVEL" in found["settings: settings"][1]
    assert "ALMA_RESTORE_STORE" not in found["settings: settings"][1]
    assert "ALMA_RESTORE_STORE__KIND" in found["object store: settings"][1]
    site.environment |= {"ALMA_RESTORE_STORE__KIND": "directory", "ALMA_RESTORE_BUS__URL": "nowhere"}
    del site.environment["ALMA_RESTORE_LOG_LEVEL"]
    _, found = site.examine("ppr-builder")
    assert "ALMA_RESTORE_BUS__URL" in found["broker: settings"][1]
    assert found["object store: reachable"][0] == "ok"
    assert of("settings", found) == {}


def test_people_see_a_line_for_each_finding_what_to_do_and_a_sum(site: Site) -> None:
    site.environment["ALMA_RESTORE_BUS__URL"] = f"amqp://guest:guest@127.0.0.1:{dead_port()}/%2F"
    _, said = site.run("doctor", "ppr-builder")
    lines: Sequence[str] = said.splitlines()
    assert lines[0].startswith("fail broker: reachable:")
    assert lines[1] == "     -> start it, and check ALMA_RESTORE_BUS__URL"
    assert lines[-1] == "5 ok, 0 warn, 1 fail"
    site.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{dead_port()}"
    _, found = site.examine("ppr-builder")
    assert of("traces", found) == {"traces: collector": "warn"}
