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


def test_tables_of_several_calibrations_are_chosen_session_by_session() -> None:
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
