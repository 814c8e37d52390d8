"""The command with the old name: same arguments, same file, same mail, same error."""

import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alma_restore.cli import app
from contracts.messages.parts import Entitlement, RestoreRequest
from observatory.metadata import sqlite_url
from observatory.metadata_demo import CORRUPTED, CYCLE_0_MOUS, CYCLE_0_PROJECT, MOUS, NOTHING_PASSED, UNKNOWN_MOUS
from services.entitlement_checker.active import ActiveRequests
from services.notifier.mail import request_mail_id
from services.request_desk.intake.trigger_file import read_trigger
from shared.objects.directory import DirectoryStore
from tests.support.archive_tables import ArchiveTables
from tests.support.samples import REQUEST

GOLDENS = Path(__file__).parents[2] / "golden"
CODE = MOUS.project.code
CLOSED = "http://127.0.0.1:1"
PERSON = (CODE, "Vera Rubin", "vera@example.org", "16140")


class Cluster:
    """Where the command is given: its trigger directory, its mails, its environment."""

    def __init__(self, folder: Path) -> None:
        self.triggers = folder / "triggers"
        self.triggers.mkdir()
        self.mail_folder = folder / "mails"
        tables = ArchiveTables(folder)
        tables.fill()
        tables.close()
        self.environment = {
            "ALMA_RESTORE_TRIGGER_DIRECTORY": str(self.triggers),
            "ALMA_RESTORE_TRIGGER_CONTACT": "contact@example.org",
            "ALMA_RESTORE_TRIGGER_OPERATIONS": "operations@example.org",
            "ALMA_RESTORE_TRIGGER_SUPPORT": "support@example.org",
            "ALMA_RESTORE_TRIGGER_SENDER": "alma-restore@example.org",
            "ALMA_RESTORE_TRIGGER_MESSAGE_ID_DOMAIN": "restore.example.org",
            "ALMA_RESTORE_TRIGGER_MAIL__KIND": "directory",
            "ALMA_RESTORE_TRIGGER_MAIL__FOLDER": str(self.mail_folder),
            "ALMA_RESTORE_ARCHIVE_DB_URL": sqlite_url(folder / "archive.db"),
            "ALMA_RESTORE_STORE__KIND": "directory",
            "ALMA_RESTORE_STORE__ROOT": str(folder / "objects"),
        }

    def give(self, *arguments: str, command: str = "triggerCalMSCreation", answer: str | None = None) -> Result:
        return CliRunner().invoke(app, [command, *arguments], env=self.environment, input=answer)

    def begin(self, request: RestoreRequest) -> None:
        """Accept a request as the entitlement checker does, however it came."""
        with closing(DirectoryStore(self.triggers.parent / "objects")) as objects:
            active = ActiveRequests(objects=objects, longest=timedelta(days=7), clock=lambda: datetime.now(UTC))
            assert active.begin(request, Entitlement.PI) is None

    def placed(self) -> list[Path]:
        return sorted(self.triggers.iterdir())

    def mails(self) -> list[EmailMessage]:
        return [
            message_from_bytes(path.read_bytes(), policy=default) for path in sorted(self.mail_folder.glob("*.eml"))
        ]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def plain(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


@pytest.mark.parametrize("command", ["trigger", "triggerCalMSCreation"])
@pytest.mark.parametrize("fields", [(), ("J0510+1800,J0321+1234",)], ids=["whole", "calfield"])
def test_it_places_the_file_and_sends_the_mail_that_the_procedure_shows(
    command: str, fields: tuple[str, ...], cluster: Cluster
) -> None:
    result = cluster.give(*PERSON, MOUS.uid, *fields, command=command)
    assert result.exit_code == 0, result.output
    (path,) = cluster.placed()
    request = read_trigger(path.name, path.read_bytes())
    assert (request.mous_uid, request.project_code, request.ticket) == (MOUS.uid, CODE, "16140")
    assert ",".join(request.selection.calibrator_fields) == "".join(fields)
    (mail,) = cluster.mails()
    assert (mail["To"], mail["Cc"]) == ("operations@example.org", "contact@example.org, support@example.org")
    assert mail["Subject"] == f"ALMA: REQUEST FOR CALIBRATED DATA MOUS {MOUS.uid.file_form}"
    assert plain(mail) == path.read_text()
    assert mail["X-ALMA-Restore-Request"] == str(request.request_id)
    assert mail["Message-ID"] == f"<{request_mail_id(request.request_id)}@restore.example.org>"
    assert str(path) in result.output


def test_the_request_mail_is_worded_as_its_golden_file(cluster: Cluster) -> None:
    cluster.give(*PERSON, MOUS.uid, "J0510+1800,J0321+1234")
    (mail,) = cluster.mails()
    headers = "".join(f"{name}: {mail[name]}\n" for name in ("From", "Reply-To", "To", "Cc", "Subject"))
    golden = GOLDENS / "mails" / "request.txt"
    if os.environ.get("UPDATE_GOLDENS"):
        golden.write_text(f"{headers}\n{plain(mail)}")
    assert f"{headers}\n{plain(mail)}" == golden.read_text()


@pytest.mark.parametrize("mous", [NOTHING_PASSED.uid, UNKNOWN_MOUS], ids=["none passed", "no such MOUS"])
def test_without_qa0_pass_data_it_ends_with_the_procedures_error_and_contacts_nobody(
    mous: str, cluster: Cluster
) -> None:
    result = cluster.give(*PERSON, mous)
    assert result.exit_code == 1
    assert "ERROR: No QA0_PASS data found for this MOUS. Please double-check MOUS UID.\n" in result.output
    words = "If confirmed, please inform the user that ALMA cannot offer calibrated data for this MOUS."
    assert words in result.output
    assert cluster.placed() == []
    assert cluster.mails() == []


def test_operations_is_not_contacted_for_cycle_0(cluster: Cluster) -> None:
    result = cluster.give(CYCLE_0_PROJECT, *PERSON[1:], CYCLE_0_MOUS)
    assert result.exit_code == 1
    assert "in the ALMA archive already" in result.output
    assert cluster.mails() == []


def test_a_person_who_is_warned_of_an_active_trigger_can_abort(cluster: Cluster) -> None:
    cluster.give(*PERSON, MOUS.uid)
    (active,) = cluster.placed()
    result = cluster.give(*PERSON, MOUS.uid.file_form, answer="n\n")
    assert result.exit_code == 1
    assert f"WARNING: there is an active trigger for {MOUS.uid} already:\n    {active.name}" in result.output
    assert cluster.placed() == [active]
    assert len(cluster.mails()) == 1


def test_a_person_is_warned_of_a_request_that_came_by_another_way_and_can_abort(cluster: Cluster) -> None:
    cluster.begin(REQUEST)
    result = cluster.give(*PERSON, MOUS.uid, answer="n\n")
    assert result.exit_code == 1
    assert f"WARNING: there is an active request for {MOUS.uid} already:\n" in result.output
    assert f"    request {REQUEST.request_id} (ticket {REQUEST.ticket}), since 20" in result.output
    assert "Ask for it once more?" in result.output
    assert "trigger for" not in result.output
    assert (cluster.placed(), cluster.mails()) == ([], [])
    assert "WARNING" not in cluster.give(*PERSON, CORRUPTED.uid).output


def test_who_goes_on_beside_a_request_that_came_by_another_way_forces_the_new_one(cluster: Cluster) -> None:
    cluster.begin(REQUEST)
    assert cluster.give(*PERSON, MOUS.uid, answer="y\n").exit_code == 0
    (path,) = cluster.placed()
    assert read_trigger(path.name, path.read_bytes()).force


def test_a_trigger_that_was_taken_is_one_thing_to_be_warned_of_and_not_two(cluster: Cluster) -> None:
    cluster.give(*PERSON, MOUS.uid)
    (path,) = cluster.placed()
    cluster.begin(read_trigger(path.name, path.read_bytes()))
    result = cluster.give("--force", *PERSON, MOUS.uid)
    assert result.output.count("WARNING") == 1
    assert "active trigger" in result.output


@pytest.mark.parametrize(
    ("store", "words"),
    [
        (
            {
                "KIND": "s3",
                "ENDPOINT": CLOSED,
                "ACCESS_KEY": "a",
                "SECRET_KEY": "s",
                "BUCKET": "objects",
                "RETRIES": "0",
            },
            CLOSED,
        ),
        ({}, "ALMA_RESTORE_STORE"),
    ],
    ids=["away", "not named"],
)
def test_a_store_that_does_not_tell_what_is_under_way_is_said_and_keeps_nobody_from_asking(
    store: dict[str, str], words: str, cluster: Cluster
) -> None:
    for name in [name for name in cluster.environment if "_STORE__" in name]:
        del cluster.environment[name]
    cluster.environment |= {f"ALMA_RESTORE_STORE__{name}": value for name, value in store.items()}
    result = cluster.give(*PERSON, MOUS.uid)
    assert result.exit_code == 0, result.output
    assert "WARNING: whether requests are under way that have no trigger is not known: " in result.output
    assert words in result.output
    assert (len(cluster.placed()), len(cluster.mails())) == (1, 1)


@pytest.mark.parametrize(("options", "answer"), [(("--force",), None), ((), "y\n")], ids=["forced", "confirmed"])
def test_a_person_who_goes_on_all_the_same_forces_the_request(
    options: tuple[str, ...], answer: str | None, cluster: Cluster
) -> None:
    cluster.give(*PERSON, MOUS.uid)
    first = cluster.placed()
    result = cluster.give(*options, *PERSON, MOUS.uid, answer=answer)
    assert result.exit_code == 0, result.output
    assert "WARNING" in result.output
    (second,) = set(cluster.placed()) - set(first)
    assert read_trigger(second.name, second.read_bytes()).force
    assert len(cluster.mails()) == 2


def test_each_mous_of_a_ticket_gets_a_file_and_a_mail_of_its_own(cluster: Cluster) -> None:
    result = cluster.give(*PERSON, MOUS.uid, CORRUPTED.uid, MOUS.uid.file_form, "J0510+1800")
    assert result.exit_code == 0, result.output
    requests = [read_trigger(path.name, path.read_bytes()) for path in cluster.placed()]
    assert {request.mous_uid for request in requests} == {MOUS.uid, CORRUPTED.uid}
    assert {request.selection.calibrator_fields for request in requests} == {("J0510+1800",)}
    assert len(cluster.mails()) == 2


def test_nothing_is_sent_if_one_mous_of_several_has_no_data(cluster: Cluster) -> None:
    result = cluster.give(*PERSON, MOUS.uid, NOTHING_PASSED.uid)
    assert result.exit_code == 1
    assert f"{NOTHING_PASSED.uid}:\nERROR: No QA0_PASS data found" in result.output
    assert cluster.mails() == []


def test_eleven_mouss_are_refused_whole(cluster: Cluster) -> None:
    result = cluster.give(*PERSON, *(f"uid://A001/X1/X{number:x}" for number in range(11)))
    assert result.exit_code == 2
    assert "11 different MOUS UIDs" in result.output
    assert cluster.mails() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*PERSON, "uid://A001/X1"), "not an ALMA UID"),
        ((*PERSON, "uid://A001/X1/X2", "uid___A001_X1"), "not an ALMA UID"),
        ((*PERSON, MOUS.uid, "J0510+1800, J0321+1234"), "without spaces"),
        (("2017.1", *PERSON[1:], MOUS.uid), "not an ALMA project code"),
        ((CODE, "Vera\nBcc: x@y.org", *PERSON[2:], MOUS.uid), "user_name"),
        ((CODE, "Vera", "vera", "16140", MOUS.uid), "user_email"),
    ],
)
def test_arguments_that_mean_nothing_are_refused_with_a_sentence(
    arguments: tuple[str, ...], words: str, cluster: Cluster
) -> None:
    result = cluster.give(*arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert "Traceback" not in result.output
    assert cluster.placed() == []
    assert cluster.mails() == []


def test_a_mail_that_cannot_be_sent_leaves_no_trigger_behind(cluster: Cluster) -> None:
    cluster.mail_folder.write_text("a file where the mails should go")
    result = cluster.give(*PERSON, MOUS.uid)
    assert result.exit_code == 2
    assert "cannot write mails" in result.output
    assert cluster.placed() == []


def test_nobody_is_asked_in_the_name_of_nobody(cluster: Cluster) -> None:
    del cluster.environment["ALMA_RESTORE_TRIGGER_CONTACT"]
    result = cluster.give(*PERSON, MOUS.uid)
    assert result.exit_code == 2
    assert "--contact" in result.output
    assert cluster.give("--contact", "me@example.org", *PERSON, MOUS.uid).exit_code == 0
    assert cluster.mails()[0]["Cc"] == "me@example.org, support@example.org"
