"""Which CASA restores a block: that of its calibration where there is one."""

from collections.abc import Mapping

import pytest

from contracts.messages import RestoreOrdered
from contracts.messages.parts import CasaBasis, CasaChoice
from contracts.reasons import ReasonCode
from services.casa_runner.casas import Casas, ChosenCasa
from services.casa_runner.launchers.places import Places
from services.casa_runner.launchers.settings import CasaPlace
from services.casa_runner.settings import Policy
from shared.casa_catalogue import CasaCatalogueSettings, open_catalogue
from shared.errors import BlockFailedError
from tests.support.samples import SAMPLES

(ORDER,) = [sample for sample in SAMPLES if isinstance(sample, RestoreOrdered)]
SHELL = ("/opt/casa/bin/casa", "--nogui")
CATALOGUE = open_catalogue(CasaCatalogueSettings())
PIPELINE = CasaChoice(version="6.6.6-17", pipeline="2025.1.0.35", image="x", basis=CasaBasis.MANIFEST)


def casas(
    own: Mapping[str, CasaPlace] | None = None,
    *,
    policy: Policy = "listed",
    usual: CasaPlace | None = None,
    builds: Mapping[str, CasaPlace] | None = None,
) -> Casas:
    """Give the CASAs of a launcher."""
    places = Places(casa=usual or CasaPlace(), casas=own or {}, builds=builds or {}, catalogue=CATALOGUE)
    return Casas(places=places, policy=policy, accepted=("5.*", "6.*"))


def order(version: str, casa: CasaChoice | None = None) -> RestoreOrdered:
    return ORDER.model_copy(update={"casa_version": version, "casa": casa})


def test_the_casa_of_the_calibration_is_taken_where_there_is_one() -> None:
    chosen = casas({"6.6.6": CasaPlace(), "6.6.6-17": CasaPlace(shell=SHELL)}).for_calibration(
        order("6.6.6-17", PIPELINE)
    )

    assert chosen == ChosenCasa(version="6.6.6-17", shell=SHELL, has_pipeline=True)


def test_an_image_of_the_version_table_counts_as_there() -> None:
    builds = {"el*": CasaPlace(command=("/casas/{image}/python",), shell=("/casas/{image}/casa",), image="{image}")}

    chosen = casas(builds=builds).for_calibration(order("5.1.1-5", CATALOGUE.of_manifest("5.1.1-5")))

    assert chosen == ChosenCasa(version="5.1.1-5", shell=("/casas/casa-5.1.1-5-el7/casa",), has_pipeline=True)


@pytest.mark.parametrize(
    ("place", "choice", "has_pipeline"),
    [
        (CasaPlace(), PIPELINE, False),
        (CasaPlace(shell=SHELL), None, False),
        (CasaPlace(shell=SHELL), PIPELINE.model_copy(update={"pipeline": None}), False),
        (CasaPlace(shell=SHELL), PIPELINE, True),
        (CasaPlace(shell=SHELL, pipeline=False), PIPELINE, False),
        (CasaPlace(shell=SHELL, pipeline=True), None, True),
        (CasaPlace(pipeline=True), PIPELINE, False),
    ],
)
def test_a_pipeline_is_there_by_the_places_word_or_the_version_tables(
    place: CasaPlace, choice: CasaChoice | None, has_pipeline: bool
) -> None:
    assert casas({"6.*": place}).for_calibration(order("6.6.6-17", choice)).has_pipeline is has_pipeline


@pytest.mark.parametrize(
    ("policy", "version", "chosen"),
    [
        ("listed", "6.6.6-17", ChosenCasa()),
        ("any", "4.2.2", ChosenCasa()),
        ("same", "6.6.6-17", ChosenCasa(only_version="6.6.6-17")),
    ],
)
def test_the_usual_one_stands_in_where_it_may(policy: Policy, version: str, chosen: ChosenCasa) -> None:
    assert casas(policy=policy).for_calibration(order(version)) == chosen


def test_a_pipeline_of_the_usual_one_is_believed_only_by_its_own_word() -> None:
    assert not casas(usual=CasaPlace(shell=SHELL)).for_calibration(order("6.6.6-17", PIPELINE)).has_pipeline
    assert casas(usual=CasaPlace(shell=SHELL, pipeline=True)).for_calibration(order("6.6.6-17")).has_pipeline


def test_a_version_that_neither_is_here_nor_may_be_stood_in_for_is_refused() -> None:
    with pytest.raises(BlockFailedError, match=r"4\.2\.2, which is not here") as refused:
        casas().for_calibration(order("4.2.2"))
    assert refused.value.reason is ReasonCode.CASA_VERSION_UNAVAILABLE


def test_a_script_is_run_by_just_the_casa_that_it_names() -> None:
    found = casas({"4.7.*": CasaPlace(shell=SHELL)})

    assert found.for_script(order("4.7.2")) == ChosenCasa(version="4.7.2", only_version="4.7.2", shell=SHELL)


@pytest.mark.parametrize(("version", "told"), [("4.7.2", "has no shell"), ("4.2.2", r"4\.2\.2 is needed")])
def test_a_script_without_its_whole_casa_is_refused(version: str, told: str) -> None:
    with pytest.raises(BlockFailedError, match=told) as refused:
        casas({"4.7.*": CasaPlace()}, policy="any", usual=CasaPlace(shell=SHELL)).for_script(order(version))
    assert refused.value.reason is ReasonCode.CASA_VERSION_UNAVAILABLE
