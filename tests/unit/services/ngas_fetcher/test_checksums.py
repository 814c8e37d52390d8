"""Checksums as archives record them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ngas_fetcher.checksums import Checksum, ChecksumKind, RunningChecksum, UnreadableChecksumError


@pytest.mark.parametrize("plugin", ["ngamsGenCrc32", "crc32", "crc32z", "NGAMSGENCRC32"])
def test_signed_and_unsigned_numbers_are_the_same_checksum(plugin: str) -> None:
    assert Checksum.recorded(plugin, "-873187034") == Checksum(ChecksumKind.CRC32, 0xCBF43926)
    assert Checksum.recorded(plugin, 0xCBF43926) == Checksum(ChecksumKind.CRC32, 0xCBF43926)


@pytest.mark.parametrize(
    ("plugin", "value"), [(None, "1"), ("None", "None"), ("crc32", "None"), ("", ""), ("crc32", None), (None, None)]
)
def test_nothing_recorded_is_no_checksum(plugin: str | None, value: str | None) -> None:
    assert Checksum.recorded(plugin, value) is None


@pytest.mark.parametrize(
    ("plugin", "value", "said"),
    [
        ("md5", "1", "plug-in 'md5' is unknown"),
        ("crc32", "0x1f", "no decimal number"),
        ("crc32", str(1 << 32), "does not fit 32 bits"),
        ("crc32", str(-(1 << 31) - 1), "does not fit 32 bits"),
    ],
)
def test_what_cannot_be_checked_is_refused(plugin: str, value: str, said: str) -> None:
    with pytest.raises(UnreadableChecksumError, match=said):
        Checksum.recorded(plugin, value)


@pytest.mark.parametrize(("kind", "value"), [(ChecksumKind.CRC32, 0xCBF43926), (ChecksumKind.CRC32C, 0xE3069283)])
def test_the_check_values_of_the_standards_come_out(kind: ChecksumKind, value: int) -> None:
    running = RunningChecksum(kind)
    running.add(b"123456789")
    assert running.checksum == Checksum(kind, value)


@given(parts=st.lists(st.binary()), kind=st.sampled_from(ChecksumKind))
def test_the_pieces_do_not_matter(parts: list[bytes], kind: ChecksumKind) -> None:
    pieces, whole = RunningChecksum(kind), RunningChecksum(kind)
    for part in parts:
        pieces.add(part)
    whole.add(b"".join(parts))
    assert pieces.checksum == whole.checksum
