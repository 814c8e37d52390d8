"""The resolver on the demo's tables, for all its tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.metadata_resolver.service import MetadataResolver, build
from services.metadata_resolver.settings import MetadataResolverSettings
from shared.objects import DirectorySettings, open_store
from tests.support.archive_tables import ArchiveTables


@pytest.fixture
def service(tables: ArchiveTables, tmp_path: Path) -> Iterator[MetadataResolver]:
    objects = open_store(DirectorySettings(root=tmp_path / "objects"))
    service = build(objects=objects, settings=MetadataResolverSettings(database=tables.settings()))
    yield service
    service.close()
    objects.close()
