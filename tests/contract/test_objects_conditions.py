"""What every object store promises to those who race: one creates a key, one replaces a version."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts.messages.parts import ObjectRef
from shared.objects import ObjectChangedError, ObjectExistsError
from tests.contract.objects_harness import StoreHarness, large, ref_of


def test_create_never_overwrites(harness: StoreHarness) -> None:
    assert harness.store.create("made/once", b"first") == ref_of("made/once", b"first")
    with pytest.raises(ObjectExistsError, match="made/once"):
        harness.store.create("made/once", b"second")
    assert harness.store.get("made/once") == b"first"
    harness.store.delete("made/once")
    assert harness.store.create("made/once", b"third").size == 5


def test_of_eight_who_create_a_key_exactly_one_succeeds(harness: StoreHarness) -> None:
    stores = [harness.another() for _ in range(8)]
    for round_ in range(2):
        key, start = f"race/{round_}", threading.Barrier(8)

        def claim(number: int, key: str = key, start: threading.Barrier = start) -> bytes | None:
            start.wait()
            try:
                stores[number].create(key, b"%d" % number)
            except ObjectExistsError:
                return None
            return b"%d" % number

        with ThreadPoolExecutor(8) as pool:
            winners = [winner for winner in pool.map(claim, range(8)) if winner is not None]
        assert winners == [harness.store.get(key)]
    for store in stores:
        store.close()
    assert harness.leftovers() == []


def test_an_object_is_replaced_only_if_it_is_the_expected_one(harness: StoreHarness) -> None:
    first = harness.store.create("swap/object", b"first")
    second = harness.store.replace("swap/object", b"second", expected=first)
    assert second == ref_of("swap/object", b"second")
    for expected in (first, ref_of("swap/object", b"other!")):
        with pytest.raises(ObjectChangedError, match="swap/object"):
            harness.store.replace("swap/object", b"third", expected=expected)
    assert harness.store.read(second) == b"second"
    harness.store.delete("swap/object")
    with pytest.raises(ObjectChangedError):
        harness.store.replace("swap/object", b"third", expected=second)
    assert harness.store.info("swap/object") is None
    assert harness.leftovers() == []


def test_a_large_object_is_replaced_with_all_that_belongs_to_it(harness: StoreHarness) -> None:
    first = harness.store.put("swap/large", large())
    second = harness.store.replace("swap/large", b"small", expected=first)
    assert harness.store.read(second) == b"small"
    assert harness.leftovers() == []


def test_of_three_who_replace_the_same_version_exactly_one_succeeds(harness: StoreHarness) -> None:
    stores = [harness.another() for _ in range(3)]
    version = harness.store.create("swap/race", b"start")
    for round_ in range(4):
        start = threading.Barrier(3)

        def swap(
            number: int, round_: int = round_, version: ObjectRef = version, start: threading.Barrier = start
        ) -> ObjectRef | None:
            start.wait()
            try:
                return stores[number].replace("swap/race", b"%d of %d" % (number, round_), expected=version)
            except ObjectChangedError:
                return None

        with ThreadPoolExecutor(3) as pool:
            winners = [winner for winner in pool.map(swap, range(3)) if winner is not None]
        assert len(winners) == 1
        version = winners[0]
        assert harness.store.read(version).endswith(b"of %d" % round_)
    for store in stores:
        store.close()
    assert harness.leftovers() == []
