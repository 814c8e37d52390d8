"""What the doctor examines."""

from pathlib import Path

import pytest

from tests.support.examined_site import Site
from tests.support.rabbitmq import RabbitServer


@pytest.fixture
def site(managed_rabbit: RabbitServer, tmp_path: Path) -> Site:
    site = Site(managed_rabbit)
    site.environment["ALMA_RESTORE_STORE__ROOT"] = str(tmp_path / "objects")
    return site
