"""A real object store in a directory for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.objects import ObjectStore
from shared.objects.directory import DirectoryStore


@pytest.fixture
def objects(tmp_path: Path) -> Iterator[ObjectStore]:
    store = DirectoryStore(tmp_path / "objects")
    yield store
    store.close()
