"""A real object store in a directory for each test."""

from pathlib import Path

import pytest

from shared.objects import ObjectStore
from shared.objects.directory import DirectoryStore


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return DirectoryStore(tmp_path / "objects")
