"""What every adapter promises of parts of objects and of folders."""

import pytest

from shared.objects import IntegrityError, ObjectMissingError
from tests.contract.objects_harness import StoreHarness

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 1), (0, 3 * MIB), (17, 2 * MIB + 5), (3 * MIB - 1, 1), (3 * MIB - 5, 99)]
)
def test_a_part_of_an_object_is_just_that_part(harness: StoreHarness, offset: int, length: int) -> None:
    data = bytes(index * 31 % 251 for index in range(3 * MIB))
    ref = harness.store.put_bytes("products/a/b/x.tar", data)
    with harness.store.open_part(ref, offset=offset, length=length) as chunks:
        assert b"".join(chunks) == data[offset : offset + length]


def test_a_part_of_what_is_gone_or_another_is_not_given(harness: StoreHarness) -> None:
    ref = harness.store.put_bytes("products/a/b/x.tar", b"first")
    harness.store.put_bytes("products/a/b/x.tar", b"other")
    with pytest.raises(IntegrityError), harness.store.open_part(ref, offset=0, length=2):
        pass
    harness.store.delete("products/a/b/x.tar")
    with pytest.raises(ObjectMissingError), harness.store.open_part(ref, offset=0, length=2):
        pass


def test_a_reader_of_parts_may_stop_early_again_and_again(harness: StoreHarness) -> None:
    ref = harness.store.put_bytes("a/x", bytes(5 * MIB))
    for _ in range(20):
        with harness.store.open_part(ref, offset=1, length=5 * MIB - 1) as chunks:
            assert next(chunks)


def test_folders_are_named_in_order_without_what_lies_in_them(harness: StoreHarness) -> None:
    for key in ("products/b/1/x.tar", "products/b/2/x.tar", "products/a/1/x.tar", "products/file", "other/x"):
        harness.store.put_bytes(key, b"x")
    assert list(harness.store.folders("products/")) == ["products/a/", "products/b/"]
    assert list(harness.store.folders("products/b/")) == ["products/b/1/", "products/b/2/"]
    assert list(harness.store.folders("products/b/1/")) == []
    assert list(harness.store.folders("nothing/")) == []
