"""Of several products of which the manifest tells the one that is needed, one may be missing; of others none."""

from collections.abc import Callable, Sequence

import pytest

from contracts.messages import ArtefactsStaged, RestoreFailed, StructureResolved
from contracts.messages.parts import LackingProduct, ProductFile, ProductKind
from contracts.reasons import ReasonCode
from observatory.ngas import Fault, NgasServer
from services.ngas_fetcher.products import only_the_manifest_tells
from services.ngas_fetcher.service import NgasFetcher
from tests.support.delivery import RecordingDelivery
from tests.unit.services.ngas_fetcher.conftest import Archived
from tests.unit.services.ngas_fetcher.samples import EBS, PRODUCTS, bdf_names

Make = Callable[..., NgasFetcher]
MANIFEST, TABLES = PRODUCTS[0], PRODUCTS[2]
OLD_TABLES = TABLES.model_copy(update={"file_id": "uid___A001_X1284_X265f.session_1.caltables.tar.gz"})
OLDER_TABLES = TABLES.model_copy(update={"file_id": "uid___A001_X1284_X265f.s1.caltables.tar.gz"})


def said_of_first_block(
    fetcher: NgasFetcher, archived: Archived, products: Sequence[ProductFile]
) -> ArtefactsStaged | RestoreFailed:
    data = archived.event.data
    assert isinstance(data, StructureResolved)
    structure = data.structure.model_copy(update={"products": tuple(products)})
    event = archived.event.model_copy(update={"data": data.model_copy(update={"structure": structure})})
    delivery = RecordingDelivery()
    fetcher.handle(event, delivery)
    (said,) = [
        each.data
        for each in delivery.published
        if (isinstance(each.data, ArtefactsStaged) and each.data.eb_uid == EBS[0])
        or (isinstance(each.data, RestoreFailed) and each.data.failure.eb_uid == EBS[0])
    ]
    return said


def test_a_missing_one_is_told_and_the_block_is_staged_without_it(
    make_fetcher: Make, archived: Archived, server: NgasServer
) -> None:
    said = said_of_first_block(make_fetcher(), archived, [*PRODUCTS, OLD_TABLES])

    assert isinstance(said, ArtefactsStaged)
    assert TABLES.file_id in [product.name for product in said.products]
    detail = f"{OLD_TABLES.file_id}: not on {server.address}"
    assert said.lacking == (
        LackingProduct(name=OLD_TABLES.file_id, reason=ReasonCode.FILE_NOT_IN_ARCHIVE, detail=detail),
    )


def test_one_that_is_damaged_everywhere_is_told_as_well(
    make_fetcher: Make, archived: Archived, server: NgasServer
) -> None:
    server.archive(archived.folders[EBS[0]] / "Main.xml", OLD_TABLES.file_id)
    server.faults.set(Fault(corrupt_at=0), file_id=OLD_TABLES.file_id)

    said = said_of_first_block(make_fetcher(), archived, [*PRODUCTS, OLD_TABLES])

    assert isinstance(said, ArtefactsStaged)
    (lacking,) = said.lacking
    assert (lacking.name, lacking.reason) == (OLD_TABLES.file_id, ReasonCode.CHECKSUM_MISMATCH)
    assert OLD_TABLES.file_id not in [product.name for product in said.products]


def test_if_none_of_them_is_there_the_block_fails_before_its_raw_data_are_fetched(
    make_fetcher: Make, archived: Archived, server: NgasServer
) -> None:
    products = [product for product in PRODUCTS if product is not TABLES]

    said = said_of_first_block(make_fetcher(), archived, [*products, OLD_TABLES, OLDER_TABLES])

    assert isinstance(said, RestoreFailed)
    assert (said.failure.reason, said.failure.detail) == (
        ReasonCode.FILE_NOT_IN_ARCHIVE,
        f"{OLD_TABLES.file_id}: not on {server.address}",
    )
    assert server.retrieved(bdf_names(0)[0].removeprefix("uid___").replace("_", "/")) == []


@pytest.mark.parametrize(
    ("products", "told"),
    [
        ([MANIFEST, TABLES], []),
        ([MANIFEST, TABLES, OLD_TABLES], [[TABLES, OLD_TABLES]]),
        ([TABLES, OLD_TABLES], []),
        ([MANIFEST, *(ProductFile(file_id=f"{n}.pprequest.xml", kind=ProductKind.PPREQUEST) for n in range(2))], []),
    ],
    ids=["one", "two", "two and no manifest", "two that no restore reads"],
)
def test_the_manifest_tells_between_several_that_it_lists(
    products: list[ProductFile], told: list[list[ProductFile]]
) -> None:
    assert only_the_manifest_tells(products) == told
