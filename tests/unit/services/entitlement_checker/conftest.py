"""The entitlement checker on the demo's tables, for all its tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.entitlement_checker.service import EntitlementChecker, build
from services.entitlement_checker.settings import EntitlementCheckerSettings
from shared.objects import DirectorySettings, open_store
from tests.support.archive_tables import ArchiveTables


@pytest.fixture
def service(tables: ArchiveTables, tmp_path: Path) -> Iterator[EntitlementChecker]:
    objects = open_store(DirectorySettings(root=tmp_path / "objects"))
    service = build(objects=objects, settings=EntitlementCheckerSettings(database=tables.settings()))
    yield service
    service.close()
    objects.close()
