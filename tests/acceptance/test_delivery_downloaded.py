"""What a user does with the mail: the lines that it leads to, a transfer that breaks, and data that is whole."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from alma_restore.demo.follow import Follower
from alma_restore.demo.house import House
from alma_restore.demo.mails import read_mails
from alma_restore.demo.scenario import scenario
from observatory import metadata_demo
from observatory.metadata import set_state
from observatory.miniature import MiniatureAlma
from services.notifier.settings import NotifierSettings
from services.request_desk.deliveries.opening import open_deliveries
from services.request_desk.deliveries.settings import DeliveriesSettings
from services.request_desk.ledger.migrating import migrate
from services.request_desk.ledger.store import SqlLedger
from shared.archive_db import ArchiveDatabase, ArchiveDbSettings
from shared.entitlement.records import ArchiveRecords
from shared.objects.directory import DirectoryStore
from tests.support.delivery_server import DeliveryServer
from tests.support.measurement_sets import differences, unpack

TIMEOUT = 240.0
BROKEN_OFF = 3_000_001
"""Bytes of the first file that arrive before its transfer breaks."""
ASKED = next(entry for entry in scenario() if entry.expected.files)


class HouseWithDesk(House):
    """A house whose notifier lays deliveries out for the desk alone."""

    def __init__(self, root: Path, *, address: str) -> None:
        super().__init__(root)
        self._address = address

    def notifier_settings(self, public_url: str | None = None) -> NotifierSettings:
        """Point mails to the desk."""
        settings = super().notifier_settings(public_url or self._address)
        return settings.model_copy(update={"deliveries": None})


@dataclass
class Delivered:
    """A delivered request, a desk that serves it, and the mail's text."""

    alma: MiniatureAlma
    ledger: SqlLedger
    mail: str

    @property
    def address(self) -> str:
        found = re.search(r"http://\S+/deliveries/[0-9a-f]{32}", self.mail)
        assert found
        return found[0]


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory, observatory_cache: Path) -> Iterator[Delivered]:
    root = tmp_path_factory.mktemp("house")
    with ExitStack() as stack:
        alma = stack.enter_context(
            MiniatureAlma(root=root / "alma", cache=observatory_cache, mouss=(metadata_demo.MOUS,))
        )
        url = f"sqlite:///{root / 'ledger.db'}"
        migrate(url)
        ledger = SqlLedger(url=url)
        stack.callback(ledger.close)
        objects = DirectoryStore(root / "objects")
        records = ArchiveRecords(
            database=ArchiveDatabase(settings=ArchiveDbSettings.model_validate({"url": alma.database_url}))
        )
        stack.callback(records.close)
        settings = DeliveriesSettings(release_seconds=0)
        desk = open_deliveries(objects=objects, ledger=ledger, records=records, settings=settings)
        server = stack.enter_context(DeliveryServer(desk.deliveries))
        house = HouseWithDesk(root, address=server.address)
        with house.running(alma, runners=2) as embedded:
            assert Follower([ASKED]).ask_all(embedded, timeout=TIMEOUT)
        (sent,) = read_mails(house.mails)[ASKED.request.request_id]
        text = sent.message.get_body(("plain",))
        assert text is not None
        yield Delivered(alma, ledger, text.get_content())


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture
def readme(delivered: Delivered, tmp_path: Path) -> str:
    link = f"{delivered.address}/README.txt"
    assert link in delivered.mail
    return run(f"curl -sS --fail {link}", tmp_path).stdout


def command_of(readme: str, program: str) -> str:
    found = re.search(rf"^{program} .*?[^\\]\n\n", readme, re.MULTILINE | re.DOTALL)
    assert found
    return found[0]


@pytest.mark.parametrize("program", ["wget", "curl"])
def test_the_readmes_line_fetches_what_a_broken_transfer_left_and_all_of_it_is_right(
    program: str, delivered: Delivered, readme: str, tmp_path: Path
) -> None:
    first = re.findall(r"http\S+\.tar", readme)[0]
    name = first.rpartition("/")[2]
    run(f"curl -sL {first} | head -c {BROKEN_OFF} > {name}", tmp_path)
    done = run(command_of(readme, program), tmp_path)
    assert done.returncode == 0, done.stderr
    offsets = {note.offset for note in delivered.ledger.downloads(ASKED.request.request_id) if note.file == name}
    assert offsets == {0, BROKEN_OFF}
    checked = run("sha256sum -c SHA256SUMS", tmp_path)
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.count(": OK\n") == ASKED.expected.files
    truths = {f"{block.truth.name}.tar": block.truth for block in delivered.alma.blocks.values()}
    for tar in sorted(tmp_path.glob("*.tar")):
        assert differences(unpack(tar, tmp_path / "unpacked"), truths[tar.name], None) == []


def test_when_qa3_begins_the_next_call_gets_nothing(delivered: Delivered, readme: str, tmp_path: Path) -> None:
    first = re.findall(r"http\S+\.tar", readme)[0]
    engine = create_engine(delivered.alma.database_url)
    with engine.begin() as connection:
        set_state(connection, metadata_demo.MOUS.uid, "QA3InProgress")
    try:
        refused = run(f"curl -sS -o answer -w '%{{http_code}}' -C 1000 {first}", tmp_path)
        assert refused.stdout == "403"
    finally:
        with engine.begin() as connection:
            set_state(connection, metadata_demo.MOUS.uid, "Delivered")
        engine.dispose()
