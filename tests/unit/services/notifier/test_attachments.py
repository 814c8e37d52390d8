"""Logs as attachments of bounded size."""

import gzip
import random
from pathlib import Path

import pytest

from contracts.messages.parts import ObjectRef
from services.notifier.attachments import LogLimits, attach_logs, pack_log
from shared.objects import ObjectStore
from tests.unit.services.notifier.samples import EBS, failure

LIMITS = LogLimits(plain=1000, compressed=2000, total=3000)
NOISE = random.Random(1).randbytes(10_000)


def chunks(data: bytes, size: int = 77) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [0, 1, 999, 1000])
def test_a_short_log_is_attached_as_it_is(size: int) -> None:
    packed = pack_log(chunks(NOISE[:size]), LIMITS)
    assert (packed.data, packed.compressed, packed.cut) == (NOISE[:size], False, False)


def test_a_longer_log_is_attached_whole_and_compressed() -> None:
    data = b"applycal says the same again\n" * 1000
    packed = pack_log(chunks(data), LIMITS)
    assert (gzip.decompress(packed.data), packed.compressed, packed.cut) == (data, True, False)


def test_of_a_log_that_is_too_long_even_compressed_the_end_is_attached() -> None:
    packed = pack_log(chunks(NOISE), LIMITS)
    assert (packed.data, packed.compressed, packed.cut) == (NOISE[-1000:], False, True)


def test_logs_beyond_the_mails_size_are_named_and_not_attached(objects: ObjectStore) -> None:
    failures = [failure(objects, log=NOISE[:900], eb_uid=eb) for eb in EBS]
    notes = attach_logs(failures, objects=objects, limits=LIMITS)
    assert [note.attachment is not None for note in notes] == [True, True, True, False]
    assert "the mail would be too large" in notes[3].sentence
    assert str(failures[3].log.key if failures[3].log else "") in notes[3].sentence


def test_a_log_that_is_gone_does_not_keep_the_mail_back(objects: ObjectStore) -> None:
    lost = failure(objects).model_copy(update={"log": ObjectRef(key="logs/gone.log", size=3, sha256="a" * 64)})
    (note,) = attach_logs([lost], objects=objects, limits=LIMITS)
    assert note.attachment is None
    assert "cannot be read" in note.sentence
    assert "logs/gone.log" in note.sentence


def test_a_log_that_is_not_what_was_promised_is_said_and_not_attached(objects: ObjectStore, tmp_path: Path) -> None:
    good = failure(objects, log=b"promised")
    assert good.log is not None
    objects.put_bytes(good.log.key, b"replaced")
    (note,) = attach_logs([good], objects=objects, limits=LIMITS)
    assert note.attachment is None
    assert "cannot be read" in note.sentence
