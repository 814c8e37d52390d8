"""What the tests of the ppr-builder share."""

from pathlib import Path

import pytest

from tests.unit.services.ppr_builder.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
