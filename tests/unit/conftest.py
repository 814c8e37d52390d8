"""What tests of several parts begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.archive_tables import ArchiveTables


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[ArchiveTables]:
    """The demo's metadata database, in a file of the test's own."""
    tables = ArchiveTables(tmp_path)
    tables.fill()
    yield tables
    tables.close()
