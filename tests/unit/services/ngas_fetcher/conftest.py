"""What the fetcher's tests share: a real archive server, a real store, an ASDM and its products."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.envelope import Event
from contracts.messages import StructureResolved
from observatory.ngas import NgasServer
from services.ngas_fetcher.service import NgasFetcher, build
from services.ngas_fetcher.settings import NgasFetcherSettings
from shared.objects import ObjectStore
from shared.objects.directory import DirectoryStore
from tests.unit.services.ngas_fetcher.samples import EBS, PRODUCTS, REQUEST, STRUCTURE, write_asdm


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NgasServer]:
    with NgasServer(tmp_path / "ngas") as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


MakeSettings = Callable[..., NgasFetcherSettings]


@pytest.fixture
def make_settings(server: NgasServer, tmp_path: Path) -> MakeSettings:
    def make(**changes: object) -> NgasFetcherSettings:
        values: dict[str, object] = {
            "hosts": (server.address,),
            "location_directory": tmp_path / "locations",
            "stall_timeout": 5.0,
            "attempts": 4,
            "backoff": 0.01,
            "progress_interval": 0.02,
        }
        return NgasFetcherSettings.model_validate(values | changes)

    return make


@dataclass(frozen=True)
class Archived:
    """A MOUS of two blocks in the archive, and the event that asks for it."""

    event: Event
    folders: dict[str, Path]


@pytest.fixture
def archived(server: NgasServer, tmp_path: Path) -> Archived:
    folders: dict[str, Path] = {}
    for number, eb_uid in enumerate(EBS):
        folders[eb_uid] = write_asdm(tmp_path / eb_uid.file_form, eb_uid, server, tmp_path / "locations", seed=number)
    for product in PRODUCTS:
        path = tmp_path / product.file_id
        path.write_bytes(f"product {product.file_id}".encode() * 100)
        server.archive(path, product.file_id)
    return Archived(Event.first(StructureResolved(request=REQUEST, structure=STRUCTURE), source="/test"), folders)


@pytest.fixture
def make_fetcher(store: DirectoryStore, make_settings: MakeSettings) -> Iterator[Callable[..., NgasFetcher]]:
    made: list[NgasFetcher] = []

    def make(*, objects: ObjectStore = store, **changes: object) -> NgasFetcher:
        made.append(build(objects=objects, settings=make_settings(**changes)))
        return made[-1]

    yield make
    for fetcher in made:
        fetcher.close()
