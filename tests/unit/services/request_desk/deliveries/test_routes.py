"""Files of deliveries over HTTP, streamed from a directory: parts, conditions, refusals."""

import hashlib
import http.client
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from contracts.manifests import DeliveryManifest
from contracts.messages.parts import NamedRef, RestoreRequest
from contracts.reasons import REASONS, ReasonCode
from services.request_desk.deliveries.base import DeliveryWithheldError
from shared.objects import ObjectStore
from tests.support.deliveries import DeliverySite
from tests.support.delivery_server import DeliveryServer

DATA = bytes(index * 31 % 251 for index in range(3 * 1024 * 1024 + 17))


class Gate:
    """Lets everything out until it is closed."""

    def __init__(self) -> None:
        self.reason: ReasonCode | None = None

    def check(self, request: RestoreRequest) -> None:
        if self.reason is not None:
            raise DeliveryWithheldError(self.reason, REASONS[self.reason].user)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def site(objects: ObjectStore, gate: Gate) -> DeliverySite:
    return DeliverySite(objects, release=gate)


@pytest.fixture
def file(site: DeliverySite) -> NamedRef:
    return site.product(1, DATA)


@pytest.fixture
def delivery(site: DeliverySite, file: NamedRef) -> DeliveryManifest:
    return site.deliver(1, [file])


@pytest.fixture
def server(site: DeliverySite) -> Iterator[DeliveryServer]:
    with DeliveryServer(site.desk) as server:
        yield server


@pytest.fixture
def path(delivery: DeliveryManifest, file: NamedRef) -> str:
    return f"/deliveries/{delivery.token}/{file.name}"


def test_a_file_comes_whole_with_its_name_size_and_digest(
    server: DeliveryServer, path: str, file: NamedRef, site: DeliverySite
) -> None:
    answer = server.call(path)
    assert (answer.status, answer.body) == (200, DATA)
    digest = b64encode(bytes.fromhex(file.ref.sha256)).decode()
    expected = {
        "Content-Length": str(len(DATA)),
        "Content-Type": "application/x-tar",
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "ETag": f'"{file.ref.sha256}"',
        "Accept-Ranges": "bytes",
        "Repr-Digest": f"sha-256=:{digest}:",
        "Cache-Control": "private, no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    assert {name: answer.headers[name] for name in expected} == expected
    (noted,) = site.noted
    assert (noted.file, noted.offset, noted.client, noted.at) == (file.name, 0, "127.0.0.1", site.now)


def test_head_tells_the_same_and_counts_nothing(server: DeliveryServer, path: str, site: DeliverySite) -> None:
    asked = server.call(path, "HEAD")
    given = server.call(path)
    assert (asked.status, asked.body) == (200, b"")
    assert sorted(name for name in asked.headers if name != "date") == sorted(
        name for name in given.headers if name != "date"
    )
    assert asked.headers["Content-Length"] == str(len(DATA))
    assert len(site.noted) == 1


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [("bytes=0-0", 0, 0), ("bytes=1000-", 1000, len(DATA) - 1), ("bytes=-9", len(DATA) - 9, len(DATA) - 1)],
)
def test_a_part_comes_as_a_part(
    wanted: str, first: int, last: int, server: DeliveryServer, path: str, site: DeliverySite
) -> None:
    answer = server.call(path, Range=wanted)
    assert (answer.status, answer.body) == (206, DATA[first : last + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(DATA)}"
    assert answer.headers["Content-Length"] == str(last - first + 1)
    assert (site.noted[0].offset, site.noted[0].length) == (first, last - first + 1)


def test_who_has_it_all_is_told_so_and_nothing_is_counted(
    server: DeliveryServer, path: str, site: DeliverySite
) -> None:
    answer = server.call(path, Range=f"bytes={len(DATA)}-")
    assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{len(DATA)}")
    assert site.noted == []


def test_conditions_are_held(server: DeliveryServer, path: str, file: NamedRef) -> None:
    own, other = f'"{file.ref.sha256}"', '"other"'
    assert server.call(path, Range="bytes=5-9", If_Range=own).status == 206
    assert server.call(path, Range="bytes=5-9", If_Range=other).body == DATA
    assert server.call(path, If_None_Match=own).status == 304
    assert server.call(path, If_None_Match=other).status == 200
    assert server.call(path, If_Match=own).status == 200
    assert server.call(path, If_Match=other).status == 412


def test_a_download_that_breaks_again_and_again_comes_whole_in_the_end(
    server: DeliveryServer, path: str, file: NamedRef
) -> None:
    got = b""
    while len(got) < len(DATA):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", path, headers={"Range": f"bytes={len(got)}-"} if got else {})
        got += connection.getresponse().read(700_001)
        connection.close()
    assert hashlib.sha256(got).hexdigest() == file.ref.sha256


def test_texts_are_shown_and_not_counted(
    server: DeliveryServer, delivery: DeliveryManifest, site: DeliverySite
) -> None:
    answer = server.call(f"/deliveries/{delivery.token}/README.txt")
    assert answer.body == f"Read {delivery.address}\n".encode()
    assert answer.headers["Content-Disposition"] == 'inline; filename="README.txt"'
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert site.noted == []
    assert site.desk.text(delivery.token, "README.txt") == answer.body.decode()


def refused(server: DeliveryServer, path: str, **headers: str) -> tuple[int, list[str]]:
    """Call, and return the status and the codes that were logged."""
    with capture_logs() as logs:
        answer = server.call(path, **headers)
    for secret in (b"products/", b"attempt-1", b"Traceback"):
        assert secret not in answer.body
    return answer.status, [str(entry.get("code")) for entry in logs if entry["event"] == "call_refused"]


GUESSES = ["0" * 32, "f" * 31, "f" * 33, "G" * 32, "", "*", "%00", "٣" * 32, "a" * 5000]


@pytest.mark.parametrize("guess", GUESSES)
def test_a_guessed_address_shows_nothing_and_is_logged(guess: str, server: DeliveryServer, file: NamedRef) -> None:
    status, codes = refused(server, f"/deliveries/{quote(guess, safe='%*')}/{file.name}")
    assert status == 404
    assert codes in (["delivery_unknown"], ["not_found"])


TRICKS = [
    "../{name}",
    "..%2f{name}",
    "%2e%2e/%2e%2e/objects",
    "..",
    ".",
    "%2e%2e",
    "manifest.json",
    "state.json",
    "texts/README.txt",
    "texts%2FREADME.txt",
    "README.txt%00",
    "readme.txt",
    "{name}%0d%0aX-Evil:%20yes",
    "..%5c..%5cetc%5cpasswd",
    "....//....//etc/passwd",
    "%252e%252e%252fREADME.txt",
    "/etc/passwd",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_a_path_trick_leads_nowhere_and_is_logged(
    trick: str, server: DeliveryServer, delivery: DeliveryManifest, file: NamedRef
) -> None:
    status, codes = refused(server, f"/deliveries/{delivery.token}/{trick.format(name=file.name)}")
    assert status == 404
    assert codes in (["delivery_unknown"], ["not_found"])


def test_no_way_changes_anything(server: DeliveryServer, path: str, site: DeliverySite) -> None:
    before = site.keys()
    assert {server.call(path, method).status for method in ("POST", "PUT", "DELETE", "PATCH")} == {405}
    assert site.keys() == before


@pytest.mark.parametrize(
    "name", ['a"b.tar', "a\r\nSet-Cookie: x=1.tar", "日本.tar", "a;b=c.tar", "a\\b.tar", "-rf.tar"]
)
def test_a_hostile_name_adds_no_header_and_breaks_none(name: str, server: DeliveryServer, site: DeliverySite) -> None:
    good = site.product(7, name="x.tar")
    delivery = site.deliver(7, [NamedRef(name=name, ref=good.ref)])
    answer = server.call(f"/deliveries/{delivery.token}/{quote(name, safe='')}")
    assert answer.status == 200
    assert "Set-Cookie" not in answer.headers
    assert len(answer.headers.get_all("Content-Disposition") or []) == 1
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith('attachment; filename="')
    assert disposition.count('"') == 2
    assert disposition.isascii()
    commands = site.desk.find(delivery.token).commands
    assert commands is not None
    assert "\n" not in commands.wget or f"'{delivery.address}/{name}'" in commands.wget


def test_an_expired_delivery_gives_nothing_at_its_very_second(
    server: DeliveryServer, path: str, site: DeliverySite, delivery: DeliveryManifest
) -> None:
    assert server.call(path).status == 200
    site.now = delivery.expires
    assert refused(server, path) == (410, ["delivery_expired"])
    assert refused(server, path, Range="bytes=0-9") == (410, ["delivery_expired"])
    assert server.call(path, "HEAD").status == 410
    assert refused(server, f"/deliveries/{delivery.token}/README.txt") == (410, ["delivery_expired"])
    assert len(site.noted) == 1


def test_a_removed_delivery_still_says_that_it_was_there(
    server: DeliveryServer, path: str, site: DeliverySite, delivery: DeliveryManifest
) -> None:
    site.later(days=29)
    site.rounds(4)
    assert refused(server, path) == (410, ["delivery_expired"])
    assert refused(server, f"/deliveries/{uuid4().hex}/x")[0] == 404


def test_a_withheld_delivery_gives_nothing_from_the_next_call_on(
    server: DeliveryServer, path: str, gate: Gate, site: DeliverySite
) -> None:
    assert server.call(path, Range="bytes=0-99").status == 206
    gate.reason = ReasonCode.NOT_ENTITLED
    assert refused(server, path, Range="bytes=100-") == (403, ["delivery_withheld"])
    assert server.call(path, "HEAD").status == 403
    assert "do not have access permission" in server.call(path).body.decode()
    assert len(site.noted) == 1
    gate.reason = None
    assert server.call(path).status == 200


def test_a_file_that_was_lost_is_said_to_be_so_before_the_answer_begins(
    server: DeliveryServer, path: str, site: DeliverySite, file: NamedRef
) -> None:
    site.objects.delete(file.ref.key)
    assert refused(server, path) == (410, ["delivery_lost"])
    site.objects.put_bytes(file.ref.key, b"another")
    assert refused(server, path) == (410, ["delivery_lost"])
    assert site.noted == []
