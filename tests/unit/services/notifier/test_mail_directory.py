"""Mails as files in a directory."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.notifier.mail_directory import DirectoryTransport
from services.notifier.transport import Handover, MailServerAwayError
from tests.unit.services.notifier.samples import EVENT_ID
from tests.unit.services.notifier.transport_contract import MailTransportContract, a_mail, parsed


class TestDirectoryTransport(MailTransportContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "outgoing" / "mails"

    def transport(self) -> DirectoryTransport:
        return DirectoryTransport(folder=self.folder)

    def arrived(self) -> list[bytes]:
        return [path.read_bytes() for path in self.folder.glob("*.eml")]

    def test_blind_copies_are_named_in_the_file(self) -> None:
        self.transport().send(a_mail())
        assert parsed(*self.arrived())["Bcc"] == "contact@example.org, support@example.org"

    def test_a_repeat_writes_nothing_and_leaves_nothing(self) -> None:
        self.transport().send(a_mail())
        before = self.arrived()
        assert self.transport().send(a_mail(minutes=5)) == Handover()
        assert self.arrived() == before
        assert [path.name for path in self.folder.iterdir()] == [f"{EVENT_ID}@restore.example.org.eml"]

    def test_of_many_at_once_one_writes(self) -> None:
        def send(minutes: int) -> Handover:
            return self.transport().send(a_mail(minutes=minutes))

        with ThreadPoolExecutor(8) as threads:
            results: Sequence[Handover] = list(threads.map(send, range(32)))
        assert results == [Handover()] * 32
        assert len(list(self.folder.iterdir())) == 1

    def test_a_folder_that_cannot_be_written_is_away_and_says_where(self, tmp_path: Path) -> None:
        (tmp_path / "outgoing").write_text("a file where the folder should be")
        with pytest.raises(MailServerAwayError, match=r"outgoing/mails.*make it writable"):
            self.transport().send(a_mail())
        assert not self.transport().is_ready()
