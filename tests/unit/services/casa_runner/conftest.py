"""A runner whose CASA is a stand-in, and its store."""

from pathlib import Path

import pytest

from shared.objects.directory import DirectoryStore
from tests.support.casa_bench import Bench


@pytest.fixture
def objects(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


@pytest.fixture
def bench(tmp_path: Path, objects: DirectoryStore) -> Bench:
    return Bench(tmp_path, objects)
