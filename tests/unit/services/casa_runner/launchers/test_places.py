"""Which CASA does a job, by the version that it needs."""

import pytest

from contracts.reasons import ReasonCode
from services.casa_runner.launcher import Needs
from services.casa_runner.launchers.places import Places
from services.casa_runner.launchers.settings import CasaPlace
from shared.casa_catalogue import CasaCatalogueSettings, open_catalogue
from shared.errors import BlockFailedError

USUAL = CasaPlace(command=("usual",))
OWN = CasaPlace(command=("own",), image="own")
BUILT = CasaPlace(command=("/casas/{image}/bin/casa", "-c"), image="registry.example/{image}", constraint="os-{build}")


@pytest.fixture(scope="module")
def places() -> Places:
    catalogue = open_catalogue(CasaCatalogueSettings())
    return Places(casa=USUAL, casas={"6.5.*": OWN, "6.*": USUAL}, builds={"el[56]": BUILT}, catalogue=catalogue)


@pytest.mark.parametrize(("version", "place"), [(None, USUAL), ("6.5.4-9", OWN), ("6.7.0.31", USUAL)])
def test_the_first_pattern_that_fits_counts(places: Places, version: str | None, place: CasaPlace) -> None:
    assert places.find(Needs(casa_version=version)) == place


def test_an_old_version_runs_where_the_version_tables_build_does(places: Places) -> None:
    assert places.find(Needs(casa_version="4.2.2")) == CasaPlace(
        command=("/casas/casa-4.2.2-el5/bin/casa", "-c"),
        image="registry.example/casa-4.2.2-el5",
        constraint="os-el5",
    )


@pytest.mark.parametrize(("version", "told"), [("4.7.2", "el7"), ("1.0", "1.0"), ("latest", "latest")])
def test_a_version_that_nobody_has_fails_the_block_and_says_what_there_is(
    places: Places, version: str, told: str
) -> None:
    with pytest.raises(BlockFailedError, match=told) as raised:
        places.find(Needs(casa_version=version))
    assert raised.value.reason is ReasonCode.CASA_VERSION_UNAVAILABLE
