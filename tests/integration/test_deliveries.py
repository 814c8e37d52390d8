"""Deliveries on a real S3 server and in a directory, fetched with the programs that users have."""

import hashlib
import re
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import urllib3

from contracts.messages import DeliveryExpired, DeliveryRenewed
from contracts.messages.parts import NamedRef
from services.request_desk.deliveries.base import DeliveryError, DeliveryPhase
from services.request_desk.deliveries.desk import StoreDeliveries
from shared.objects import ObjectStore
from shared.objects.directory import DirectoryStore
from shared.objects.lease import LeaseHeldError
from shared.objects.s3 import S3Store
from tests.support.deliveries import SETTINGS, DeliverySite
from tests.support.delivery_server import DeliveryServer
from tests.support.s3 import S3Server

SIZE = 24 * 1024 * 1024 + 12345
BROKEN_OFF = 9_000_001
"""Bytes that arrive before a transfer breaks."""


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture(params=["directory", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    store: ObjectStore
    if request.param == "directory":
        store = DirectoryStore(tmp_path / "objects")
    else:
        server: S3Server = request.getfixturevalue("s3")
        store = S3Store(server.settings(bucket=f"bucket-{tmp_path.name.replace('_', '-').lower()}"[:60].strip("-")))
    yield store
    store.close()


@pytest.fixture
def site(objects: ObjectStore) -> DeliverySite:
    return DeliverySite(objects)


def data_of(number: int) -> bytes:
    block = hashlib.sha256(bytes([number])).digest() * 32768
    return (block * (SIZE // len(block) + 1))[:SIZE]


@pytest.fixture
def files(site: DeliverySite) -> list[NamedRef]:
    return [site.product(number, data_of(number)) for number in (1, 2)]


class Served:
    """A delivery on a server whose address the desk tells."""

    def __init__(self, site: DeliverySite, server: DeliveryServer, token: str) -> None:
        self.site, self.server, self.token = site, server, token
        self.url = f"{server.address}/{token}"
        site.desk._address = server.address


@pytest.fixture
def served(site: DeliverySite, files: list[NamedRef]) -> Iterator[Served]:
    manifest = site.deliver(1, files)
    with DeliveryServer(site.desk) as server:
        yield Served(site, server, manifest.token)


def check(folder: Path, files: list[NamedRef]) -> None:
    for file in files:
        with (folder / file.name).open("rb") as stream:
            assert hashlib.file_digest(stream, "sha256").hexdigest() == file.ref.sha256


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=120)


def test_curl_goes_on_where_a_broken_download_stopped(served: Served, files: list[NamedRef], tmp_path: Path) -> None:
    folder = tmp_path / "curl"
    folder.mkdir()
    commands = served.site.desk.find(served.token).commands
    assert commands is not None
    url = f"{served.url}/{files[0].name}"
    run(f"curl -sL {url} | head -c {BROKEN_OFF} > {files[0].name}", folder)
    done = run(commands.curl, folder)
    assert done.returncode == 0, done.stderr
    check(folder, files)
    assert {note.offset for note in served.site.noted if note.file == files[0].name} == {0, BROKEN_OFF}


def test_wget_fetches_all_and_goes_on_when_the_same_command_is_given_again(
    served: Served, files: list[NamedRef], tmp_path: Path
) -> None:
    folder = tmp_path / "wget"
    folder.mkdir()
    commands = served.site.desk.find(served.token).commands
    assert commands is not None
    run(f"wget -q -O - {served.url}/{files[0].name} | head -c {BROKEN_OFF} > {files[0].name}", folder)
    for _ in range(2):
        done = run(commands.wget, folder)
        assert done.returncode == 0, done.stderr
        check(folder, files)
    assert (folder / "README.txt").read_text().startswith("Read ")


def test_what_was_fetched_whole_already_does_no_harm_to_curl(
    served: Served, files: list[NamedRef], tmp_path: Path
) -> None:
    folder = tmp_path / "again"
    folder.mkdir()
    commands = served.site.desk.find(served.token).commands
    assert commands is not None
    assert run(commands.curl, folder).returncode == 0
    run(commands.curl, folder)
    check(folder, files)


def test_a_signed_link_is_short_lived_names_the_file_and_gives_ranges(s3: S3Server, tmp_path: Path) -> None:
    site = DeliverySite(S3Store(s3.settings(bucket="links")))
    file = site.product(1, data_of(1))
    manifest = site.deliver(1, [file])
    with DeliveryServer(site.desk) as server, urllib3.PoolManager() as http:
        path = f"/deliveries/{manifest.token}/{file.name}"
        answer = server.call(path)
        assert answer.status == 302
        assert answer.body == b""
        link = answer.headers["Location"]
        assert re.search(r"X-Amz-Expires=3600(&|$)", link)
        part = http.request("GET", link, headers={"Range": "bytes=5-9"})
        assert (part.status, part.data) == (206, data_of(1)[5:10])
        assert part.headers["Content-Disposition"] == f'attachment; filename="{file.name}"'
        assert server.call(path, "HEAD").headers["Content-Length"] == str(SIZE)
        assert "ETag" not in server.call(path, "HEAD").headers
        assert server.call(path, Range=f"bytes={SIZE}-").headers["Content-Range"] == f"bytes */{SIZE}"
        site.now = manifest.expires - timedelta(seconds=90)
        assert "X-Amz-Expires=90&" in f"{server.call(path).headers['Location']}&"
        other = link.replace(urlsplit(link).path, urlsplit(link).path.replace(".tar", ".tax"))
        assert http.request("GET", other).status == 403
        site.now = manifest.expires
        assert server.call(path).status == 410
    site.objects.close()


def test_a_desk_that_streams_gives_no_links_though_the_store_could(s3: S3Server) -> None:
    store = S3Store(s3.settings(bucket="streams"))
    site = DeliverySite(store, settings=SETTINGS.model_copy(update={"way": "stream"}))
    file = site.product(1, data_of(1))
    manifest = site.deliver(1, [file])
    with DeliveryServer(site.desk) as server:
        path = f"/deliveries/{manifest.token}/{file.name}"
        assert server.call(path).body == data_of(1)
        part = server.call(path, Range="bytes=1000000-")
        assert (part.status, part.body) == (206, data_of(1)[1_000_000:])
    store.close()


def test_a_delivery_is_ended_and_its_data_are_removed_on_either_store(site: DeliverySite) -> None:
    shared, own = site.product(1), site.product(2)
    first = site.deliver(1, [shared, own])
    site.later(days=10)
    second = site.deliver(2, [shared])
    site.later(days=12)
    site.rounds(1)
    site.later(days=7)
    site.rounds(3)
    assert (site.has(shared), site.has(own)) == (True, False)
    (ended,) = (message for message in site.messages() if isinstance(message, DeliveryExpired))
    assert (ended.removed, ended.still_used) == ((own.name,), (shared.name,))
    assert site.desk.find(first.token).phase is DeliveryPhase.REMOVED
    assert site.desk.find(second.token).phase is DeliveryPhase.OPEN


def test_of_renewals_and_rounds_of_two_desks_at_once_none_gets_lost(site: DeliverySite) -> None:
    file = site.product(1)
    deliveries = [site.deliver(number, [file]) for number in range(6)]
    site.later(days=28)
    renewed: set[str] = set()
    begin = threading.Barrier(4)

    def renew(desk: StoreDeliveries, tokens: list[str]) -> None:
        begin.wait()
        for token in tokens:
            try:
                desk.renew(token, by="vrubin")
                renewed.add(token)
            except DeliveryError:
                continue

    def look_through() -> None:
        begin.wait()
        try:
            site.another_expirer().run()
        except LeaseHeldError:
            return

    tokens = [one.token for one in deliveries]
    work = [
        threading.Thread(target=renew, args=(site.desk, tokens)),
        threading.Thread(target=renew, args=(site.desk, tokens[::-1])),
        *(threading.Thread(target=look_through) for _ in range(2)),
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    for token in tokens:
        assert (site.desk.find(token).phase is DeliveryPhase.OPEN) == (token in renewed)
    site.rounds(4)
    assert site.has(file) == bool(renewed)
    said = site.messages()
    assert len([one for one in said if isinstance(one, DeliveryRenewed)]) == len(renewed)
    assert len([one for one in said if isinstance(one, DeliveryExpired)]) == len(tokens) - len(renewed)
