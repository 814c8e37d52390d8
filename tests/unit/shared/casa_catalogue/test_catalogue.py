from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from contracts.identifiers import ProjectCode
from contracts.messages.parts import CasaBasis
from shared.casa_catalogue import CasaCatalogue, CasaCatalogueSettings, CasaVersion, open_catalogue, read_releases
from shared.errors import MisconfiguredError

ROW = """
[[release]]
from = "{from_}"
below = "{below}"
casa = "5.1.1-9"
cycles = [5]
image = "our-own-5.1"
build = "el7"
source = "our operator"
"""


@pytest.fixture(scope="module")
def catalogue() -> CasaCatalogue:
    return open_catalogue(CasaCatalogueSettings(more=None))


MANIFESTS = [
    ("3.4", "casa-4.1.0-el5", "el5", None),
    ("4.0.1", "casa-4.1.0-el5", "el5", None),
    ("4.2.2", "casa-4.2.2-el5", "el5", "r30594-31667"),
    ("4.3.1", "casa-4.3.1-el6", "el6", "r34044"),
    ("4.5.1", "casa-4.5.3-el6", "el6", "r35932"),
    ("4.5.2", "casa-4.5.3-el6", "el6", "r36091"),
    ("4.5.3", "casa-4.5.3-el6", "el6", "r36660"),
    ("4.7.0", "casa-4.7.2-el7", "el7", "r38377"),
    ("4.7.2", "casa-4.7.2-el7", "el7", "r39732"),
    ("5.1.1-5", "casa-5.1.1-5-el7", "el7", "r40896"),
    ("5.4.0-68", "casa-5.4.0-70-el7", "el7", "r42254"),
    ("5.4.0-70", "casa-5.4.0-70-el7", "el7", "r42254"),
    ("5.6.1-8", "casa-5.6.1-8-el7", "el7", "r42866"),
    ("6.1.1-15", "casa-6.1.1-15", "tar", "2020.1.0.40"),
    ("6.2.1-7", "casa-6.2.1-7", "py3.6", "2021.2.0.128"),
    ("6.4.1-12", "casa-6.4.1-12", "py3.6", "2022.2.0.68"),
    ("6.5.4-9", "casa-6.5.4-9", "py3.8", "2023.1.0.124"),
    ("6.6.1-17", "casa-6.6.1-17", "el8", "2024.1.0.8"),
    ("6.6.6-17", "casa-6.6.6-17", "py3.10", "2025.1.0.35"),
    ("6.7.0.31", "casa-6.7", "wheels", None),
]


@pytest.mark.parametrize(("version", "image", "build", "pipeline"), MANIFESTS)
def test_the_manifests_version_decides_image_and_build(
    catalogue: CasaCatalogue, version: str, image: str, build: str, pipeline: str | None
) -> None:
    choice = catalogue.of_manifest(version)
    assert (choice.version, choice.image, choice.build, choice.pipeline) == (version, image, build, pipeline)
    assert choice.basis is CasaBasis.MANIFEST


def test_an_old_build_is_said_as_the_procedure_says_it(catalogue: CasaCatalogue) -> None:
    assert catalogue.of_manifest("4.2.2").note == "Old project, using RHEL5 build of CASA."
    assert catalogue.of_manifest("4.5.3").note == "Old project, using RHEL6 build of CASA."
    assert catalogue.of_manifest("5.1.1-5").note is None


def test_what_stands_after_a_version_is_not_looked_at(catalogue: CasaCatalogue) -> None:
    assert catalogue.of_manifest("5.1.1-5 (r40896)").image == "casa-5.1.1-5-el7"


@pytest.mark.parametrize(("servers", "parallel"), [(0, False), (7, True), (None, None)])
def test_standard_and_mpi_casa_are_told_apart(
    catalogue: CasaCatalogue, servers: int | None, parallel: bool | None
) -> None:
    assert catalogue.of_manifest("6.6.1-17", mpi_servers=servers).parallel is parallel


@pytest.mark.parametrize(("version", "complaint"), [("7.1", "no row for CASA 7.1"), ("unknown", "cannot be read")])
def test_a_version_without_row_says_what_to_do(catalogue: CasaCatalogue, version: str, complaint: str) -> None:
    with pytest.raises(LookupError, match=complaint):
        catalogue.of_manifest(version)


EXPECTED = [
    (date(2018, 11, 1), date(2018, 1, 1), "2017.1.00886.L", "5.4.0-70", CasaBasis.INGESTED),
    (None, date(2018, 1, 1), "2017.1.00886.L", "5.1.1-5", CasaBasis.OBSERVED),
    (None, date(2021, 6, 1), "2019.1.00001.S", "6.1.1-15", CasaBasis.OBSERVED),
    (None, date(2017, 10, 1), "2016.1.00001.S", "5.1.1-5", CasaBasis.OBSERVED),
    (None, date(2017, 9, 30), "2016.1.00001.S", "4.7.2", CasaBasis.OBSERVED),
    (None, date(2012, 1, 1), "2012.1.00001.S", "4.2.2", CasaBasis.CYCLE),
    (None, None, "2015.1.00001.S", "4.5.3", CasaBasis.CYCLE),
    (None, None, "2017.A.00001.S", "5.1.1-5", CasaBasis.CYCLE),
    (None, date(2031, 1, 1), "2030.1.00001.S", "6.6.6-17", CasaBasis.OBSERVED),
]


@pytest.mark.parametrize(("ingested", "observed", "code", "version", "basis"), EXPECTED)
def test_before_a_manifest_is_read_dates_tell_what_to_expect(
    catalogue: CasaCatalogue, ingested: date | None, observed: date | None, code: str, version: str, basis: CasaBasis
) -> None:
    choice = catalogue.expected(ingested=ingested, observed=observed, project_code=ProjectCode(code))
    assert choice is not None
    assert (choice.version, choice.basis) == (version, basis)


def test_nothing_is_expected_of_a_cycle_that_nobody_knows(catalogue: CasaCatalogue) -> None:
    assert catalogue.expected(ingested=None, observed=None, project_code=ProjectCode("2030.1.00001.S")) is None


def test_the_built_in_rows_leave_no_gap_and_do_not_overlap(catalogue: CasaCatalogue) -> None:
    for earlier, later in pairwise(catalogue.releases):
        assert earlier.below == later.since_version
        if earlier.until is not None and later.since is not None:
            assert earlier.until == later.since
    assert all(release.made(release.casa) for release in catalogue.releases)
    assert {cycle for release in catalogue.releases for cycle in release.cycles} == set(range(13))


def test_an_operators_rows_go_first(tmp_path: Path) -> None:
    more = tmp_path / "more.toml"
    more.write_text(ROW.format(from_="5.1", below="5.2"))
    catalogue = open_catalogue(CasaCatalogueSettings(more=more))
    assert catalogue.of_manifest("5.1.1-5").image == "our-own-5.1"
    assert catalogue.of_manifest("5.4.0-70").image == "casa-5.4.0-70-el7"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[release]", "no TOML"),
        ("[[version]]\nx = 1", r"\[\[release\]\] rows"),
        (ROW.format(from_="5.2", below="5.1"), "row 1: .*5.2 is not before 5.1"),
        (ROW.format(from_="five", below="6"), "row 1: from: .*no version"),
        (ROW.format(from_="5", below="6").replace("image", "picture"), "row 1: image: Field required; picture"),
        (ROW.format(from_="5", below="6").replace('"5.1.1-9"', "5.1"), 'row 1: casa: .*write "5.1"'),
    ],
)
def test_a_wrong_row_says_where_and_what(text: str, complaint: str) -> None:
    with pytest.raises(MisconfiguredError, match=complaint):
        read_releases(text, where="more.toml")


def test_a_missing_file_is_told_by_its_setting(tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match="ALMA_RESTORE_CASA_CATALOGUE_MORE"):
        open_catalogue(CasaCatalogueSettings(more=tmp_path / "none.toml"))


def test_versions_are_compared_by_their_numbers() -> None:
    texts = ["4.2.2", "4.10", "5", "5.1.1-5", "5.1.1-10", "5.1.2", "6.6.6-17", "6.7.0.31"]
    versions = [CasaVersion(text) for text in texts]
    assert sorted(versions, key=lambda version: version) == versions
    assert CasaVersion("5.0") == CasaVersion("5")
    assert len({CasaVersion("5.0"), CasaVersion("5")}) == 1
