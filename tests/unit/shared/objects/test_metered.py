"""The store counts what goes in and out, and hands everything on."""

import inspect
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from contracts.messages.parts import ObjectRef
from shared.objects import ObjectExistsError, ObjectMissingError, ObjectStore
from shared.objects.directory import DirectoryStore
from shared.objects.metered import MeteredStore

DATA = b"visibilities"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def store(tmp_path: Path, registry: CollectorRegistry) -> MeteredStore:
    return MeteredStore(objects=DirectoryStore(tmp_path / "objects"), registry=registry)


def counted(registry: CollectorRegistry, name: str, direction: str) -> float | None:
    return registry.get_sample_value(f"alma_restore_store_{name}", {"direction": direction})


def test_bytes_written_and_read_are_counted_by_every_way(
    store: MeteredStore, registry: CollectorRegistry, tmp_path: Path
) -> None:
    ref = store.put("a", [DATA, DATA])
    store.replace("b", DATA, expected=store.create("b", DATA))
    store.put_bytes("c", DATA)
    assert counted(registry, "bytes_total", "written") == 5 * len(DATA)
    assert store.read(ref) == store.get("a") == DATA + DATA
    with store.open(ref) as chunks:
        assert b"".join(chunks) == DATA + DATA
    with store.open_part(ref, offset=0, length=3) as chunks:
        assert b"".join(chunks) == DATA[:3]
    store.fetch_to(ref, tmp_path / "a")
    assert counted(registry, "bytes_total", "read") == 4 * 2 * len(DATA) + 3
    assert counted(registry, "seconds_count", "written") == 4
    assert counted(registry, "seconds_count", "read") == 5


def test_an_error_is_counted_but_not_that_another_was_first(store: MeteredStore, registry: CollectorRegistry) -> None:
    store.create("a", DATA)
    with pytest.raises(ObjectExistsError):
        store.create("a", DATA)
    assert counted(registry, "errors_total", "written") == 0
    with pytest.raises(ObjectMissingError):
        store.read(ObjectRef(key="b", size=1, sha256="0" * 64))
    assert counted(registry, "errors_total", "read") == 1


def test_it_has_all_that_a_store_has() -> None:
    promised = {name for name, _ in inspect.getmembers(ObjectStore, inspect.isfunction) if not name.startswith("_")}
    assert promised <= set(dir(MeteredStore))
