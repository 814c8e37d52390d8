"""Fixtures of the tests with real CASA: one small execution block, its products, and a site around them."""

from pathlib import Path

import pytest

from observatory.blocks import BlockSpec, MadeBlock, ensure_blocks
from observatory.products import MousProducts, write_products
from tests.support.casa_site import EB, MOUS, SESSION, Site


@pytest.fixture(scope="module")
def block(observatory_cache: Path) -> MadeBlock:
    return ensure_blocks([BlockSpec(eb_uid=EB, mous_uid=MOUS, session=SESSION)], cache=observatory_cache)[0]


@pytest.fixture(scope="module")
def products(block: MadeBlock, tmp_path_factory: pytest.TempPathFactory) -> MousProducts:
    return write_products(MOUS, {SESSION: [EB]}, [block], into=tmp_path_factory.mktemp("products"))


@pytest.fixture
def site(tmp_path: Path, block: MadeBlock, products: MousProducts) -> Site:
    return Site(tmp_path, block, products)
