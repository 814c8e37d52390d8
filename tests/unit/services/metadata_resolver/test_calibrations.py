from datetime import UTC, datetime

import pytest

from contracts.messages.parts import ProductFile
from services.metadata_resolver.calibrations import choose
from services.metadata_resolver.products import classify

MOUS = "uid___A001_X87c_X69"
EB = "uid___A002_Xc7111c_X3979"
OLD, NEW = datetime(2018, 3, 1, tzinfo=UTC), datetime(2019, 10, 2, tzinfo=UTC)


def product(name: str) -> ProductFile:
    found = classify(name)
    assert found is not None
    return ProductFile(file_id=name, kind=found.kind, session=found.session, eb_uid=found.eb_uid)


def names(*files: str, dates: dict[str, datetime] | None = None) -> tuple[list[str], tuple[str, ...]]:
    chosen = choose([product(name) for name in files], dates or {})
    return [kept.file_id for kept in chosen.products], chosen.notes


CAL = f"member.{MOUS}.hifa_calimage.pipeline_manifest.xml"
RENORM = f"member.{MOUS}.hifa_calimage_renorm.pipeline_manifest.xml"
IMAGE = f"member.{MOUS}.hifa_image.pipeline_manifest.xml"
TABLES = f"member.{MOUS}.session_1.caltables.tgz"
OLD_TABLES = f"{MOUS}.session_1.caltables.tar.gz"


def test_one_calibration_is_passed_on_whole_and_nothing_is_said() -> None:
    files = [CAL, TABLES, f"member.{MOUS}.session_3.caltables.tgz", f"{EB}.ms.flagversions.tgz"]
    assert names(*files) == (files, ())


@pytest.mark.parametrize(("cal", "renorm", "used"), [(OLD, NEW, RENORM), (NEW, OLD, CAL)])
def test_of_several_calibrations_the_newest_is_used_and_said(cal: datetime, renorm: datetime, used: str) -> None:
    kept, (note,) = names(CAL, RENORM, TABLES, dates={CAL: cal, RENORM: renorm, TABLES: NEW})
    assert kept == [used, TABLES]
    assert note.startswith(f"2 calibrations are in the archive: {used} of 2019-10-02 is used (the newest), not ")
    assert "of 2018-03-01" in note


FIRST, SECOND, FOURTH, FIFTH = (datetime(2019, 10, day, tzinfo=UTC) for day in (1, 2, 4, 5))
OLD_CAL = f"{MOUS}.hifa_calimage.pipeline_manifest.xml"
CAL_TABLES = f"member.{MOUS}.hifa_calimage.session_1.caltables.tgz"
RENORM_TABLES = f"member.{MOUS}.hifa_calimage_renorm.session_1.caltables.tgz"
FLAGS, OLD_FLAGS = f"{EB}.ms.flagversions.tgz", f"{EB}.ms.flagversions.tar.gz"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((RENORM, RENORM_TABLES), (CAL, CAL_TABLES)),
        ((CAL, CAL_TABLES), (RENORM, RENORM_TABLES)),
        ((CAL, TABLES), (OLD_CAL, f"{MOUS}.session_1.caltables.tgz")),
        ((OLD_CAL, OLD_TABLES), (CAL, TABLES)),
    ],
)
def test_with_crossing_dates_the_tables_are_those_of_the_manifests_calibration(
    a: tuple[str, str], b: tuple[str, str]
) -> None:
    dates = {a[0]: FIFTH, a[1]: FIRST, b[0]: SECOND, b[1]: FOURTH}
    kept, (of_manifests, of_tables) = names(*a, *b, dates=dates)
    assert kept == [*a]
    assert "(the newest)" in of_manifests
    assert of_tables == (
        f"2 calibrations are in the archive: {a[1]} of 2019-10-01 is used (by its name that of {a[0]}), "
        f"not {b[1]} of 2019-10-04"
    )


def test_what_names_do_not_tell_apart_is_left_to_the_manifests_own_list() -> None:
    dates = {RENORM: FIFTH, TABLES: FIRST, FLAGS: FIRST, CAL: SECOND, OLD_TABLES: FOURTH, OLD_FLAGS: FOURTH}
    chosen = choose([product(name) for name in dates], dates)
    assert [kept.file_id for kept in chosen.products] == [RENORM, TABLES, FLAGS, OLD_TABLES, OLD_FLAGS]
    _, of_tables, of_flags = chosen.notes
    assert of_tables == (
        f"2 calibrations are in the archive: of {TABLES} of 2019-10-01, {OLD_TABLES} of 2019-10-04 "
        f"that which {RENORM} lists is used"
    )
    assert FLAGS in of_flags
    assert chosen.ingested == FIFTH


def test_one_name_in_two_spellings_is_for_the_spelling_of_the_manifest() -> None:
    bare = f"{MOUS}.session_1.caltables.tgz"
    assert names(CAL, TABLES, bare, dates={CAL: NEW, TABLES: OLD, bare: NEW})[0] == [CAL, TABLES]


def test_tables_of_another_calibration_do_not_stand_in_for_those_that_are_missing() -> None:
    kept, (_, of_tables) = names(CAL, RENORM, CAL_TABLES, dates={CAL: OLD, RENORM: NEW, CAL_TABLES: NEW})
    assert kept == [RENORM]
    assert of_tables == f"not used, since not of the calibration of {RENORM}: {CAL_TABLES} of 2019-10-02"


def test_tables_are_not_taken_for_those_of_an_imaging_run() -> None:
    kept, _ = names(CAL, f"{MOUS}.hifa_image.pipeline_manifest.xml", f"{MOUS}.session_1.caltables.tgz")
    assert kept == [CAL, f"{MOUS}.session_1.caltables.tgz"]


def test_tables_in_a_spelling_of_their_own_are_left_to_the_only_manifest() -> None:
    assert names(RENORM, CAL_TABLES) == ([RENORM, CAL_TABLES], ())


def test_without_a_manifest_tables_are_chosen_session_by_session() -> None:
    kept, (note,) = names(TABLES, OLD_TABLES, dates={TABLES: OLD, OLD_TABLES: NEW})
    assert kept == [OLD_TABLES]
    assert "session_1.caltables" in note


def test_an_imaging_run_is_no_calibration_however_new_it_is() -> None:
    kept, _ = names(CAL, IMAGE, dates={CAL: OLD, IMAGE: NEW})
    assert kept == [CAL]


def test_without_dates_the_archives_newer_spelling_counts_and_that_is_said() -> None:
    kept, (note,) = names(OLD_TABLES, TABLES)
    assert kept == [TABLES]
    assert "their dates are not known" in note
    assert names(RENORM, CAL)[0] == [RENORM]


def test_one_missing_date_makes_the_others_worth_nothing() -> None:
    assert names(CAL, RENORM, dates={CAL: NEW})[0] == [RENORM]


def test_scripts_of_a_calibration_by_hand_are_all_kept() -> None:
    scripts = [
        f"{EB}.ms.scriptForCalibration.py",
        f"member.{MOUS}.scriptForPolCalibration.py",
        f"member.{MOUS}.scriptForFluxCalibration.py",
        "scriptForPI.py",
    ]
    assert names(*scripts) == (scripts, ())


def test_several_requests_are_chosen_without_a_word() -> None:
    requests = [f"member.{MOUS}.hifa_calimage.pprequest.xml", f"member.{MOUS}.hifa_image.pprequest.xml"]
    assert names(*requests) == (requests[:1], ())


def test_the_date_of_the_newest_kept_file_is_that_of_the_calibration() -> None:
    chosen = choose([product(CAL), product(TABLES)], {CAL: OLD, TABLES: NEW})
    assert chosen.ingested == NEW
    assert choose([product(CAL)], {}).ingested is None
