"""The request desk from Python, against a real one."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from uuid import UUID, uuid4

import pytest

from alma_restore import Desk
from alma_restore.desk_http import DeskAwayError, DeskRefusedError
from alma_restore.desk_models import DeliveredFile, Delivery
from alma_restore.downloading import DownloadDamagedError, Downloading, UnsafeNameError, download
from contracts.messages import RequestAccepted, RequestRefused
from contracts.messages.parts import Entitlement
from contracts.reasons import ReasonCode
from shared.errors import MisconfiguredError
from tests.support.desk_site import ARCHIVE, MOUS, TAR, VERA, DeskSite, deliver, later, with_deliveries


@pytest.fixture
def site(tmp_path: Path) -> Iterator[DeskSite]:
    with DeskSite(tmp_path, deliveries=with_deliveries) as site:
        yield site


@pytest.fixture
def desk(site: DeskSite) -> Iterator[Desk]:
    with Desk(site.base_url, token=site.provider.token(VERA)) as desk:
        yield desk


def test_it_submits_shows_lists_and_cancels(desk: Desk) -> None:
    asked, wrong = desk.submit("2017.1.00886.L", [MOUS, "nonsense"], ticket="16140", fields=["J0510+1800"])
    assert (asked.code, wrong.code) == ("submitted", "invalid_mous_uid")
    assert asked.request_id is not None
    shown = desk.request(asked.request_id)
    assert (shown.state, shown.mous, shown.ticket) == ("submitted", MOUS, "16140")
    assert [each.id for each in desk.requests(active=True)] == [asked.request_id]
    assert desk.cancel(asked.request_id, reason="a test").state == "cancelled"
    assert list(desk.requests(active=True)) == []


def test_it_lists_page_after_page(site: DeskSite, desk: Desk) -> None:
    asked = {site.request(VERA).request_id for _ in range(60)}
    assert {each.id for each in desk.requests()} == asked


def test_it_watches_until_the_end(site: DeskSite, desk: Desk) -> None:
    request = site.request(VERA)
    seen: list[str] = []
    watching = Thread(target=lambda: seen.extend(each.state for each in desk.watch(request.request_id)))
    watching.start()
    site.say(RequestAccepted(request=request, entitlement=Entitlement.PI))
    site.say(RequestRefused(request=request, reason=ReasonCode.NOT_RESTORABLE_YET))
    watching.join(20)
    assert seen[-1] == "refused"


def test_what_the_desk_refuses_is_one_sentence(site: DeskSite, desk: Desk) -> None:
    with pytest.raises(DeskRefusedError, match="there is no such request") as caught:
        desk.request(uuid4())
    assert (caught.value.status, caught.value.problem["code"]) == (404, "not_found")
    with pytest.raises(DeskRefusedError, match="token"), Desk(site.base_url, token="nonsense") as nobody:
        nobody.request(uuid4())


def test_a_desk_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alma_restore.desk_http._PAUSES", (0.01, 0.01))
    with Desk("http://127.0.0.1:1", token="x") as desk:
        with pytest.raises(DeskAwayError, match="cannot be reached"):
            desk.request(uuid4())
        with pytest.raises(DeskAwayError, match="does not answer any more"):
            list(desk.watch(uuid4()))


def test_without_an_address_it_says_what_to_set() -> None:
    with pytest.raises(MisconfiguredError, match="ALMA_RESTORE_DESK_URL"):
        Desk()


def test_a_program_gets_its_tokens_by_itself(site: DeskSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.provider.programs["request-handler"] = ("its secret", ARCHIVE)
    monkeypatch.setenv("ALMA_RESTORE_DESK_URL", site.base_url)
    monkeypatch.setenv("ALMA_RESTORE_DESK_TOKEN_URL", f"{site.provider.issuer}/protocol/openid-connect/token")
    monkeypatch.setenv("ALMA_RESTORE_DESK_CLIENT_ID", "request-handler")
    monkeypatch.setenv("ALMA_RESTORE_DESK_CLIENT_SECRET", "its secret")
    with Desk() as desk:
        user = {"name": VERA.name, "email": VERA.email, "account": VERA.account}
        (asked,) = desk.submit("2017.1.00886.L", [MOUS], user=user)
        assert asked.request_id is not None
        assert desk.request(asked.request_id).state == "submitted"
    assert site.provider.asked["token"] == 1


def test_a_delivery_is_fetched_in_pieces_checked_and_not_fetched_twice(
    site: DeskSite, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alma_restore.downloading.PIECE", 1000)
    request, data = site.request(VERA), bytes(range(256)) * 40
    deliver(site, request, {TAR: data, "empty.tar": b""})
    told: list[Downloading] = []
    paths = desk.download(request.request_id, tmp_path / "data", on_progress=told.append)
    assert {path.name: path.read_bytes() for path in paths} == {TAR: data, "empty.tar": b"", "README.txt": b"read me"}
    assert told[-1] == Downloading(done=len(data) + 7, total=len(data) + 7, whole=3)
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["README.txt", "empty.tar", TAR]
    begun = len(site.ledger.downloads(request.request_id))
    desk.download(request.request_id, tmp_path / "data")
    assert len(site.ledger.downloads(request.request_id)) == begun


def test_a_broken_download_goes_on_with_the_pieces_that_are_missing(
    site: DeskSite, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alma_restore.downloading.PIECE", 1000)
    request, data = site.request(VERA), bytes(range(250)) * 16
    deliver(site, request, {TAR: data})
    sha256 = hashlib.sha256(data).hexdigest()
    (tmp_path / f"{TAR}.part").write_bytes(data[:2000] + bytes(2000))
    (tmp_path / f"{TAR}.pieces").write_text(f"{sha256} 0\n{sha256} 1000\n")
    desk.download(request.request_id, tmp_path)
    assert (tmp_path / TAR).read_bytes() == data
    offsets = [each.offset for each in site.ledger.downloads(request.request_id) if each.file == TAR]
    assert sorted(offsets) == [2000, 3000]


def test_damage_is_noticed_removed_and_fetched_anew(site: DeskSite, desk: Desk, tmp_path: Path) -> None:
    request, data = site.request(VERA), b"calibrated" * 100
    deliver(site, request, {TAR: data})
    (tmp_path / f"{TAR}.part").write_bytes(b"x" * 1000)
    (tmp_path / f"{TAR}.pieces").write_text(f"{hashlib.sha256(data).hexdigest()} 0\n")
    with pytest.raises(DownloadDamagedError, match="fetch it again"):
        desk.download(request.request_id, tmp_path)
    assert not (tmp_path / TAR).exists()
    desk.download(request.request_id, tmp_path)
    assert (tmp_path / TAR).read_bytes() == data


def test_a_delivery_that_has_expired_is_not_fetched(site: DeskSite, desk: Desk, tmp_path: Path) -> None:
    request = site.request(VERA)
    deliver(site, request, days=-0.5)
    with pytest.raises(DeskRefusedError, match="expired"):
        desk.download(request.request_id, tmp_path)
    assert desk.renew(request.request_id).expires > later(days=20)
    desk.download(request.request_id, tmp_path)
    assert (tmp_path / TAR).is_file()


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "/etc/passwd", "..", "a/b", "a\\b"])
def test_a_name_that_would_lie_elsewhere_is_not_fetched(name: str, tmp_path: Path) -> None:
    file = DeliveredFile(name=name, size=1, sha256="a" * 64, url="http://127.0.0.1:1/x")
    delivery = Delivery(request_id=uuid4(), address="", phase="open", expires=later(days=1), files=(file,))
    with pytest.raises(UnsafeNameError), Desk("http://127.0.0.1:1", token="x") as desk:
        download(delivery, tmp_path / "in", http=desk._http, parallel=1, tell=lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_in_a_notebook_requests_are_tables_in_which_nothing_is_markup(site: DeskSite, desk: Desk) -> None:
    request = site.request(VERA, ticket="<script>alert(1)</script>")
    html = desk._repr_html_()
    assert str(request.request_id) in html
    assert "<script>" not in html
    assert UUID(str(desk.request(request.request_id).id)) == request.request_id
    assert "<table>" in desk.request(request.request_id)._repr_html_()
