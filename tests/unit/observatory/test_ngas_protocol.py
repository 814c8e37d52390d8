"""The small NGAS server answers as a real one does."""

import http.client
import json
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from observatory.ngas import Fault, NgasServer

DATA = bytes(range(256)) * 40
FILE_ID = "A002/Xc7111c/X3979"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.body)

    @property
    def failure(self) -> str:
        status = self.document.find("Status")
        assert status is not None
        assert status.get("Status") == "FAILURE"
        return str(status.get("Message"))


Ask = Callable[..., Answer]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NgasServer]:
    with NgasServer(tmp_path / "ngas", max_requests=2) as server:
        yield server


@pytest.fixture
def archive(server: NgasServer, tmp_path: Path) -> Callable[..., None]:
    def put(data: bytes = DATA, file_id: str = FILE_ID, **options: object) -> None:
        path = tmp_path / f"file{len(list(tmp_path.iterdir()))}"
        path.write_bytes(data)
        server.archive(path, file_id, **options)  # type: ignore[arg-type]  # the test's own keywords

    return put


@pytest.fixture
def ask(server: NgasServer) -> Ask:
    def get(target: str, *, method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        try:
            connection.request(method, f"/{target}", headers=headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    return get


def test_a_file_comes_whole_without_checksum_headers_and_the_connection_closes(
    ask: Ask, archive: Callable[..., None]
) -> None:
    archive()
    answer = ask(f"RETRIEVE?file_id={FILE_ID}")
    assert (answer.status, answer.body) == (200, DATA)
    assert set(answer.headers) == {"Server", "Date", "Content-Type", "Content-Disposition", "Content-Length"}


def test_the_newest_version_comes_unless_one_is_pinned(ask: Ask, archive: Callable[..., None]) -> None:
    archive(b"old", version=1)
    archive(b"new", version=10)
    assert ask(f"RETRIEVE?file_id={FILE_ID}").body == b"new"
    assert ask(f"RETRIEVE?file_id={FILE_ID}&file_version=1").body == b"old"
    assert ask(f"RETRIEVE?file_id={FILE_ID}&file_version=2").failure.startswith("NGAMS_ER_UNAVAIL_FILE:4019:")


def test_an_open_range_is_answered_with_200_and_content_range(ask: Ask, archive: Callable[..., None]) -> None:
    archive()
    answer = ask(f"RETRIEVE?file_id={FILE_ID}", Range="bytes=1000-")
    assert (answer.status, answer.body) == (200, DATA[1000:])
    assert answer.headers["Content-Range"] == f"bytes 1000-{len(DATA) - 1}/{len(DATA)}"


@pytest.mark.parametrize("asked", ["bytes=0-99", "bytes=-100", "bytes=0-,5-", "lines=1-"])
def test_any_other_range_is_refused_with_400(ask: Ask, archive: Callable[..., None], asked: str) -> None:
    archive()
    answer = ask(f"RETRIEVE?file_id={FILE_ID}", Range=asked)
    assert answer.status == 400
    assert answer.failure.startswith("NGAMS_ER_RETRIEVE_CMD:4018:")


def test_a_range_at_the_end_is_empty_and_one_behind_it_has_an_invalid_length(
    ask: Ask, archive: Callable[..., None]
) -> None:
    archive()
    assert ask(f"RETRIEVE?file_id={FILE_ID}", Range=f"bytes={len(DATA)}-").headers["Content-Length"] == "0"
    assert ask(f"RETRIEVE?file_id={FILE_ID}", Range=f"bytes={len(DATA) + 5}-").headers["Content-Length"] == "-5"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_head_and_options_get_an_empty_reply(ask: Ask, method: str) -> None:
    with pytest.raises(http.client.RemoteDisconnected):
        ask(f"RETRIEVE?file_id={FILE_ID}", method=method)


@pytest.mark.parametrize(
    ("plugin", "signed", "expected"),
    [
        ("ngamsGenCrc32", False, str(zlib.crc32(b"123456789"))),
        ("crc32", True, str(zlib.crc32(b"123456789") - (1 << 32))),
        ("crc32z", False, str(zlib.crc32(b"123456789"))),
        ("crc32c", False, str(0xE3069283)),
        ("None", False, "None"),
    ],
)
def test_status_tells_the_recorded_checksum(
    ask: Ask, archive: Callable[..., None], plugin: str, signed: bool, expected: str
) -> None:
    archive(b"123456789", checksum_plugin=plugin, signed=signed)
    record = ask(f"STATUS?file_id={FILE_ID}").document.find("DiskStatus/FileStatus")
    assert record is not None
    told = [record.get(name) for name in ("FileSize", "FileVersion", "Checksum", "ChecksumPlugIn")]
    assert told == ["9", "1", expected, plugin]


def test_an_unknown_file_is_4019_and_an_unknown_command_404(ask: Ask) -> None:
    for command in ("RETRIEVE", "STATUS"):
        answer = ask(f"{command}?file_id=nothing")
        assert answer.status == 400
        assert answer.failure.startswith("NGAMS_ER_UNAVAIL_FILE:4019:")
    assert ask("FETCH?file_id=nothing").status == 404


def test_an_offline_server_says_4015_and_knows_no_file(
    ask: Ask, archive: Callable[..., None], server: NgasServer
) -> None:
    archive()
    server.faults.set(Fault(offline=True))
    assert ask(f"RETRIEVE?file_id={FILE_ID}").failure.startswith("NGAMS_ER_IMPROPER_STATE:4015:")
    status = ask(f"STATUS?file_id={FILE_ID}")
    assert status.failure.startswith("NGAMS_ER_UNAVAIL_FILE:4019:")
    assert status.document.find("Status[@State='OFFLINE']") is not None
    server.faults.clear()
    assert ask(f"RETRIEVE?file_id={FILE_ID}").body == DATA


def test_more_requests_than_max_sim_reqs_get_a_bare_503(
    ask: Ask, archive: Callable[..., None], server: NgasServer
) -> None:
    archive()
    with server.slot() as first, server.slot() as second:
        assert first
        assert second
        answer = ask(f"RETRIEVE?file_id={FILE_ID}")
        assert (answer.status, answer.body) == (503, b"")
    assert ask(f"RETRIEVE?file_id={FILE_ID}").status == 200


def test_queries_list_files_as_json_with_a_real_servers_labels(ask: Ask, archive: Callable[..., None]) -> None:
    archive(b"one", "member.uid___A001_X1_X2.session_1.caltables.tgz")
    archive(b"more", "member.uid___A001_X1_X2.session_1.caltables.tgz", version=2)
    archive(b"other", "other")
    every = json.loads(ask("QUERY?query=files_list&format=json").body)
    assert [(row["file_id"], row["file_version"], row["file_size"]) for row in every][-1] == ("other", 1, 5)
    like = json.loads(ask("QUERY?query=files_like&like=MEMBER.%25&format=json").body)
    assert [row["file_version"] for row in like] == [1, 2]
    newest = json.loads(ask("QUERY?query=lastver_location&like=member.%25&format=json").body)
    assert [row["creation_date"] for row in newest] == [2]
    assert json.loads(ask("QUERY?query=files_location&like=none&format=json").body) == []
    assert ask("QUERY?query=everything").status == 400


def test_a_redirect_leads_to_the_same_request_elsewhere(
    ask: Ask, archive: Callable[..., None], server: NgasServer
) -> None:
    archive()
    server.faults.set(Fault(redirect_to="ngas2:7777"), file_id=FILE_ID)
    answer = ask(f"RETRIEVE?file_id={FILE_ID}")
    assert (answer.status, answer.headers["Location"]) == (303, f"http://ngas2:7777/RETRIEVE?file_id={FILE_ID}")


def test_wrong_credentials_get_401_without_a_challenge(tmp_path: Path) -> None:
    with NgasServer(tmp_path / "closed", credentials=("ngas", "secret")) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request("GET", "/STATUS")
        refused = connection.getresponse()
        assert (refused.status, refused.getheader("WWW-Authenticate")) == (401, None)
        connection.close()
        connection.request("GET", "/STATUS", headers={"Authorization": f"Basic {b64encode(b'ngas:secret').decode()}"})
        assert connection.getresponse().status == 200
        connection.close()


def test_a_damaged_file_is_served_as_if_it_were_right(
    ask: Ask, archive: Callable[..., None], server: NgasServer
) -> None:
    archive()
    server.faults.set(Fault(corrupt_at=1234), file_id=FILE_ID)
    corrupted = ask(f"RETRIEVE?file_id={FILE_ID}").body
    assert [n for n, (a, b) in enumerate(zip(corrupted, DATA, strict=True)) if a != b] == [1234]
    server.faults.set(Fault(truncate_to=100), file_id=FILE_ID)
    truncated = ask(f"RETRIEVE?file_id={FILE_ID}")
    assert (truncated.status, truncated.body) == (200, DATA[:100])


def test_a_cut_body_ends_early_and_a_reset_one_breaks(
    ask: Ask, archive: Callable[..., None], server: NgasServer
) -> None:
    archive()
    server.faults.set(Fault(cut_after=100, times=1))
    with pytest.raises(http.client.IncompleteRead) as cut:
        ask(f"RETRIEVE?file_id={FILE_ID}")
    assert cut.value.partial == DATA[:100]
    server.faults.set(Fault(cut_after=0, reset=True, times=1))
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected, http.client.IncompleteRead)):
        ask(f"RETRIEVE?file_id={FILE_ID}")
    assert ask(f"RETRIEVE?file_id={FILE_ID}").body == DATA
