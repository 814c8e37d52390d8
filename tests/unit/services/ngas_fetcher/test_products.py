"""Which products a block needs, and where they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.identifiers import SessionName
from contracts.messages.parts import ProductFile, ProductKind
from observatory.ngas import Fault, NgasServer
from services.ngas_fetcher.client import NgasClient
from services.ngas_fetcher.errors import NgasAwayError
from services.ngas_fetcher.patience import Patience
from services.ngas_fetcher.products import ProductLocator, needed_products
from services.ngas_fetcher.stop import Stop
from shared.errors import BlockFailedError
from tests.unit.services.ngas_fetcher.samples import EBS, PRODUCTS, STRUCTURE


def test_a_block_needs_what_is_the_mouss_its_sessions_and_its_own() -> None:
    names = [product.file_id for product in needed_products(STRUCTURE, EBS[1])]
    assert names == [PRODUCTS[n].file_id for n in (0, 1, 3, 6, 7)]


def test_caltables_of_no_named_session_are_everybodys() -> None:
    tables = ProductFile(file_id="x.caltables.tgz", kind=ProductKind.CALTABLES)
    other = tables.model_copy(update={"session": SessionName("session_2")})
    structure = STRUCTURE.model_copy(update={"products": (tables, other)})
    assert needed_products(structure, EBS[0]) == (tables,)


@pytest.fixture
def client() -> NgasClient:
    return NgasClient(known_hosts=(), credentials=None, connect_timeout=2, stall_timeout=2)


@pytest.fixture
def second(tmp_path: Path) -> Iterator[NgasServer]:
    with NgasServer(tmp_path / "second") as server:
        yield server


def locator(client: NgasClient, *servers: NgasServer) -> ProductLocator:
    patience = Patience(attempts=2, backoff=0.01, limit=0.01)
    return ProductLocator(client=client, hosts=[server.address for server in servers], patience=patience)


def test_the_newest_version_is_pinned_and_other_hosts_are_replicas(
    client: NgasClient, server: NgasServer, second: NgasServer, tmp_path: Path
) -> None:
    for version, data in ((1, b"old"), (2, b"newer")):
        path = tmp_path / data.decode()
        path.write_bytes(data)
        second.archive(path, "p", version=version)
    file = locator(client, server, second).locate("p", stop=Stop())
    assert (file.version, file.size) == (2, 5)
    assert file.servers == (second.address, server.address)


def test_a_product_that_no_host_has_is_missing(client: NgasClient, server: NgasServer, second: NgasServer) -> None:
    with pytest.raises(BlockFailedError, match=f"p: not on {server.address}, {second.address}"):
        locator(client, server, second).locate("p", stop=Stop())


def test_a_product_is_not_missing_while_a_host_is_away(
    client: NgasClient, server: NgasServer, second: NgasServer
) -> None:
    server.faults.set(Fault(offline=True))
    with pytest.raises(NgasAwayError):
        locator(client, server, second).locate("p", stop=Stop())
