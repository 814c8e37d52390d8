"""A MOUS that was calibrated twice, from request to delivery: made of the tables that its newest manifest lists."""

from pathlib import Path
from threading import Event as Flag

import pytest
from typer.testing import CliRunner

from alma_restore.cli import app
from alma_restore.demo.follow import Follower
from alma_restore.demo.house import House
from alma_restore.demo.results import Results
from alma_restore.demo.scenario import ALL_FIELDS, CONTACT, Asked, Expected
from alma_restore.progress import RequestState
from contracts.messages import MailSent
from contracts.reasons import ReasonCode
from observatory.metadata_demo import EMPTY_FIRST_SESSION, PI
from observatory.miniature import MiniatureAlma
from tests.support.demo_requests import request_of
from tests.support.measurement_sets import differences, unpack
from tests.support.two_calibrations import add_second_calibration

MOUS = EMPTY_FIRST_SESSION
SECONDS = 240.0
DELIVERED = Expected(state=RequestState.DELIVERED, files=1, fields=ALL_FIELDS)
MISSING = Expected(state=RequestState.FAILED, reason=ReasonCode.FILE_NOT_IN_ARCHIVE)


@pytest.mark.parametrize("newest_lists", ["first", "second"])
@pytest.mark.parametrize("archived", [True, False], ids=["both archived", "second lost"])
def test_the_delivery_is_made_by_the_tables_that_the_newest_manifest_lists(
    newest_lists: str, archived: bool, observatory_cache: Path, tmp_path: Path
) -> None:
    expected = DELIVERED if archived or newest_lists == "first" else MISSING
    asked = Asked(title="calibrated twice", request=request_of(PI, MOUS, contact_email=CONTACT), expected=expected)
    house, follower, root = House(tmp_path / "house"), Follower([asked]), tmp_path / "observatory"
    mailed = Flag()
    with MiniatureAlma(root=root, cache=observatory_cache, mouss=[MOUS]) as alma:
        products = root / "products" / MOUS.uid.file_form
        add_second_calibration(alma, MOUS, products, archived=archived, newest_lists_it=newest_lists == "second")
        with house.running(alma, runners=1) as embedded:
            embedded.listen(lambda event: mailed.set() if isinstance(event.data, MailSent) else None)
            assert follower.ask_all(embedded, timeout=SECONDS)
            assert mailed.wait(SECONDS)
    results, progress = Results(deliveries=house.deliveries, mails=house.mails), follower.of(asked.title)
    assert results.differences(asked, progress) == []
    if expected is MISSING:
        assert f"session_2.caltables.tar.gz: not on {alma.ngas.address}" in progress.detail
        return
    (block,) = alma.blocks.values()
    (tar,) = results.folder_of(progress).glob("*.tar")
    found = differences(unpack(tar, tmp_path), block.truth)
    assert ("DATA" in found) is (newest_lists == "second")
    assert bool(found) is (newest_lists == "second")


def test_a_tree_is_not_laid_out_without_a_file_that_the_newest_manifest_lists(
    observatory_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "observatory"
    with MiniatureAlma(root=root, cache=observatory_cache, mouss=[MOUS]) as alma:
        products = root / "products" / MOUS.uid.file_form
        add_second_calibration(alma, MOUS, products, archived=False, newest_lists_it=True)
        monkeypatch.setenv("ALMA_RESTORE_ARCHIVE_DB_URL", alma.database_url)
        monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_HOSTS", alma.ngas.address)
        monkeypatch.setenv("ALMA_RESTORE_NGAS_FETCHER_LOCATION_DIRECTORY", str(alma.locations))

        result = CliRunner().invoke(app, ["ppr", MOUS.uid, "--download", "--out", str(tmp_path / "out")])

    assert result.exit_code != 0
    assert "session_2.caltables.tar.gz: not on" in result.stderr
