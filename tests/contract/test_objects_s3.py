"""What is S3's own: refusals that need a person, lost answers, what killed writers leave."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.errors import DependencyAwayError, MisconfiguredError
from shared.objects import CannotSignError, IntegrityError, ObjectMissingError, S3Settings, parts
from shared.objects.s3 import S3Store
from shared.objects.s3_digests import RECORDS
from tests.contract.objects_harness import S3Harness
from tests.support.certificates import certificate_for
from tests.support.s3 import S3Server

MIB = 1024 * 1024

WRITER = """
import json, sys
from shared.objects.s3 import S3Store
from shared.objects.settings import S3Settings

def chunks():
    for _ in range(5):
        yield bytes(16 * 1024 * 1024)
    print("sent", flush=True)
    sys.stdin.read()

S3Store(S3Settings(**json.loads(sys.stdin.readline()))).put("killed/writer", chunks())
"""


def store_with(settings: S3Settings, **changes: object) -> S3Store:
    return S3Store(settings.model_copy(update=changes))


def test_wrong_credentials_say_what_to_set(s3: S3Harness) -> None:
    for changes in ({"secret_key": SecretStr("wrong")}, {"access_key": "nobody"}):
        with closing(store_with(s3.direct, **changes)) as store:
            with pytest.raises(MisconfiguredError, match="access_key and secret_key"):
                store.put_bytes("a", b"x")
            assert not store.is_ready()


def test_a_missing_bucket_says_what_to_set_and_is_created_only_if_a_setting_says_so(s3: S3Harness) -> None:
    missing = {"bucket": "missing-bucket"}
    with closing(store_with(s3.direct, create_bucket=False, **missing)) as store:
        for call in (lambda: store.info("a"), lambda: store.get("a"), lambda: store.put_bytes("a", b"x")):
            with pytest.raises(MisconfiguredError, match="create_bucket"):
                call()
        assert not store.is_ready()
    with closing(store_with(s3.direct, create_bucket=True, **missing)) as store:
        assert store.put_bytes("a", b"x").size == 1
        assert store.is_ready()
        store.delete("a")
    s3.client.remove_bucket("missing-bucket")


def test_an_endpoint_that_is_no_s3_server_is_not_waited_for(s3: S3Harness) -> None:
    with closing(store_with(s3.direct, endpoint="http://127.0.0.1:1")) as store, pytest.raises(DependencyAwayError):
        store.info("a")


def test_an_object_that_others_stored_is_no_object_of_ours(s3: S3Harness) -> None:
    s3.client.put("foreign/object", b"no digest", {})
    assert s3.store.info("foreign/object") is None
    assert list(s3.store.list("foreign/")) == []
    with pytest.raises(ObjectMissingError, match="foreign/object"):
        s3.store.get("foreign/object")


def test_who_created_an_object_but_lost_the_answer_has_created_it(s3: S3Harness) -> None:
    s3.store.info("warm")
    s3.relay.lose_next_answer()
    assert s3.store.create("lost/answer", b"mine").size == 4
    assert s3.relay.interruptions == 1
    assert s3.store.get("lost/answer") == b"mine"


def test_who_replaced_an_object_but_lost_the_answer_has_replaced_it(s3: S3Harness) -> None:
    first = s3.store.put_bytes("lost/replacement", b"first")
    s3.relay.lose_next_answer()
    assert s3.store.replace("lost/replacement", b"mine", expected=first).size == 4
    assert s3.relay.interruptions == 1
    assert s3.store.get("lost/replacement") == b"mine"


def test_who_completed_an_upload_but_lost_the_answer_has_completed_it(s3: S3Harness) -> None:
    chunks = bytes(20 * MIB)

    def source() -> Iterator[bytes]:
        yield chunks
        s3.relay.lose_next_answer(b"<CompleteMultipartUpload")

    ref = s3.store.put("lost/completion", source())
    assert s3.relay.interruptions == 1
    assert s3.store.read(ref) == chunks
    assert s3.leftovers() == []


def test_an_upload_survives_a_connection_that_breaks(s3: S3Harness) -> None:
    def source() -> Iterator[bytes]:
        for number in range(5):
            yield bytes([number]) * 16 * MIB
            s3.relay.cut()

    # On a busy machine every cut may hit the same part: one more attempt than there are cuts.
    with closing(store_with(s3.settings, retries=5)) as store:
        ref = store.put("cut/upload", source())
    assert ref.size == 80 * MIB
    assert s3.store.info("cut/upload") is not None


def test_what_killed_writers_left_is_swept_and_nothing_else(s3: S3Harness) -> None:
    ref = s3.store.put("swept/kept", [bytes(20 * MIB)])
    upload = s3.client.begin_upload("swept/abandoned", {})
    s3.client.put_part("swept/abandoned", upload, 1, bytes(5 * MIB))
    s3.client.put(RECORDS + "f" * 32, ref.model_copy(update={"key": "swept/abandoned"}).model_dump_json().encode(), {})
    assert len(s3.leftovers()) == 2
    assert s3.store.sweep(timedelta(hours=1)) == 0
    assert s3.store.sweep(timedelta(seconds=-60)) == 2
    assert s3.leftovers() == []
    assert s3.store.info("swept/kept") is not None


def test_the_parts_of_a_writer_killed_in_its_upload_are_invisible_and_swept(s3: S3Harness) -> None:
    secret = s3.direct.secret_key.get_secret_value()
    settings = s3.direct.model_dump(mode="json") | {"secret_key": secret}
    with subprocess.Popen([sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write(json.dumps(settings).encode() + b"\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == b"sent\n"
        writer.kill()
    assert s3.leftovers() == ["upload of killed/writer"]
    assert s3.store.info("killed/writer") is None
    assert list(s3.store.list("killed/")) == []
    assert s3.store.sweep(timedelta(hours=1)) == 0
    assert s3.store.sweep(timedelta(seconds=-60)) == 1
    assert s3.leftovers() == []


def test_parts_are_made_for_the_bytes_that_come_at_most(s3: S3Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MAX_PARTS", 1)
    for at_most, uploads in ((None, 2), (20 * MIB, 0)):
        ref = s3.store.put("parts/known", [bytes(20 * MIB)], at_most=at_most)
        etag = str(s3.client.stat_object(s3.client.bucket, ref.key).etag)
        assert int(etag.partition("-")[2] or 0) == uploads


def test_an_interrupt_leaves_no_upload(s3: S3Harness) -> None:
    def source() -> Iterator[bytes]:
        yield bytes(40 * MIB)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        s3.store.put("interrupted/upload", source())
    assert s3.leftovers() == []
    assert s3.store.info("interrupted/upload") is None


def test_threads_share_a_store(s3: S3Harness) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            ref = s3.store.put(f"threads/{number}", [bytes([number]) * 17 * MIB])
            assert s3.store.read(ref) == bytes([number]) * 17 * MIB
        except BaseException as error:  # a thread's failure is the test's, asserts among them
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [info.size for info in s3.store.list("threads/")] == [17 * MIB] * 4


def test_a_signed_link_gives_anybody_the_object_under_its_name(s3: S3Harness) -> None:
    data = bytes(range(256)) * 100
    ref = s3.store.put_bytes("signed/X1 a+b.ms.split.cal.tar", data)
    link = s3.store.sign(ref, expires=timedelta(minutes=1))
    whole = s3.http.request("GET", link)
    assert (whole.status, whole.data) == (200, data)
    assert whole.headers["Content-Disposition"] == 'attachment; filename="X1 a+b.ms.split.cal.tar"'
    part = s3.http.request("GET", link, headers={"Range": "bytes=3-5"})
    assert (part.status, part.data) == (206, data[3:6])
    named = s3.http.request("GET", s3.store.sign(ref, expires=timedelta(minutes=1), file_name="Ålma.tar"))
    assert named.headers["Content-Disposition"] == "attachment; filename=\"_lma.tar\"; filename*=UTF-8''%C3%85lma.tar"


def test_a_signed_link_gives_nothing_else(s3: S3Harness) -> None:
    ref, other = s3.store.put_bytes("signed/one", b"x"), s3.store.put_bytes("signed/two", b"y")
    link = s3.store.sign(ref, expires=timedelta(minutes=1))
    assert s3.http.request("GET", link.replace("signed/one", other.key)).status == 403
    assert s3.http.request("PUT", link, body=b"z").status == 403
    assert s3.settings.secret_key.get_secret_value() not in link
    for wrong, error in ((ref.model_copy(update={"key": "signed/none"}), ObjectMissingError), (ref, IntegrityError)):
        s3.store.put_bytes("signed/one", b"changed")
        with pytest.raises(error, match="signed/"):
            s3.store.sign(wrong, expires=timedelta(minutes=1))


def test_a_signed_link_ends(s3: S3Harness) -> None:
    ref = s3.store.put_bytes("signed/ends", b"x")
    link = s3.store.sign(ref, expires=timedelta(seconds=1))
    deadline = time.monotonic() + 20
    while s3.http.request("GET", link).status != 403:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with pytest.raises(CannotSignError, match="signed/ends"):
        s3.store.sign(ref, expires=timedelta(days=8))


def test_a_signed_link_names_the_address_that_others_see(s3: S3Harness) -> None:
    with closing(store_with(s3.direct, public_endpoint="https://data.example.org")) as store:
        ref = store.put_bytes("signed/outside", b"x")
        assert store.sign(ref, expires=timedelta(hours=1)).startswith(
            f"https://data.example.org/{s3.direct.bucket}/signed/outside?"
        )


def test_the_server_refuses_bytes_that_were_changed_on_the_way(s3: S3Harness) -> None:
    s3.store.info("warm")
    s3.relay.change_next(b"on the way")
    with pytest.raises(DependencyAwayError, match=r"BadDigest|SHA256Mismatch"):
        s3.store.put_bytes("changed/object", b"bytes that are changed on the way" * 10)
    assert s3.store.info("changed/object") is None


def test_over_tls_the_suite_sees_what_it_sees_over_http(s3_over_tls: S3Harness) -> None:
    s3 = s3_over_tls
    assert s3.direct.endpoint.startswith("https://localhost:")
    with closing(S3Store(s3.direct)) as direct:
        ref = direct.put_bytes("tls/direct", b"by name")
    assert s3.store.read(ref) == s3.http.request("GET", s3.store.sign(ref, expires=timedelta(minutes=1))).data
    for large in (bytes(20 * MIB), b"\x01" * 20 * MIB):
        ref = s3.store.put("tls/cut", [large])
        s3.relay.cut_after(5 * MIB)
        assert s3.store.read(ref) == large
    s3.relay.lose_next_answer()
    assert s3.store.create("tls/lost", b"mine").size == 4
    assert s3.relay.interruptions == 3
    s3.take_away()
    with pytest.raises(DependencyAwayError, match="is it running there"):
        s3.store.info("tls/cut")
    s3.bring_back()
    assert s3.store.info("tls/cut") is not None


@pytest.mark.parametrize("trusted", ["the system's", "another authority's", "missing"])
def test_a_server_that_is_not_trusted_says_what_to_set(s3_over_tls: S3Harness, tmp_path: Path, trusted: str) -> None:
    ca_file = {
        "the system's": None,
        "another authority's": certificate_for("localhost", tmp_path).certificate,
        "missing": tmp_path / "missing.pem",
    }[trusted]
    with closing(store_with(s3_over_tls.direct, ca_file=ca_file, retries=0)) as store:
        with pytest.raises(DependencyAwayError, match="ca_file"):
            store.info("tls/untrusted")
        assert not store.is_ready()


def test_secrets_are_not_printed(s3_settings: S3Settings) -> None:
    assert s3_settings.secret_key.get_secret_value() not in repr(s3_settings) + str(s3_settings.model_dump())


def test_objects_are_still_there_after_the_server_was_killed() -> None:
    with S3Server() as server, closing(S3Store(server.settings())) as store:
        ref = store.put("survives/large", [bytes(20 * MIB)])
        server.kill()
        with pytest.raises(DependencyAwayError):
            store.info("survives/large")
        server.start()
        assert store.is_ready()
        assert store.read(ref) == bytes(20 * MIB)
        assert store.put_bytes("survives/new", b"x").size == 1
