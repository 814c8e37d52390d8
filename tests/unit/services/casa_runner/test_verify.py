"""Success has to be proven: everything short of it has its own reason."""

from dataclasses import replace
from pathlib import Path

import pytest

from contracts.reasons import ReasonCode
from services.casa_runner.asdm import AsdmPromise
from services.casa_runner.errors import CasaAwayError, ScratchFullError
from services.casa_runner.job import CasaResult, Described, Flags
from services.casa_runner.verify import COLUMNS, SUBTABLES, check_files, judge, severe_lines
from shared.errors import BlockFailedError

PROMISE = AsdmPromise(rows_by_field={"J0510+1800": 100, "HLX_Target": 200, "Unobserved": 0}, start=0)
OUTPUT = Described(
    rows=300,
    columns=tuple(COLUMNS),
    subtables=tuple(SUBTABLES),
    rows_by_field={"J0510+1800": 100, "HLX_Target": 200},
)
GOOD = CasaResult(step="verify", casa_version="6.7.0-31", imported_rows_by_field=OUTPUT.rows_by_field, output=OUTPUT)


def verdict(status: int, result: CasaResult = GOOD, **changes: object) -> Described:
    facts = {"promise": PROMISE, "selected": (), "printed": "", "severe": (), "disk_is_full": False}
    return judge(status, result, **(facts | changes))  # type: ignore[arg-type]  # a table of keywords


def reason_of(status: int, result: CasaResult = GOOD, **changes: object) -> tuple[ReasonCode, str]:
    with pytest.raises(BlockFailedError) as raised:
        verdict(status, result, **changes)
    return raised.value.reason, raised.value.detail


def changed(**changes: object) -> CasaResult:
    return GOOD.model_copy(update={"output": OUTPUT.model_copy(update=changes)})


def test_all_rows_columns_and_tables_are_a_success() -> None:
    assert verdict(0) is OUTPUT


NONE, ALL, SOME = Flags(flagged=False, good=True), Flags(flagged=True, good=False), Flags(flagged=True, good=True)


def with_flags(due: Flags, found: Flags) -> CasaResult:
    other = {"J0510+1800": SOME}
    output = OUTPUT.model_copy(update={"flags_by_field": other | {"HLX_Target": found}})
    return GOOD.model_copy(update={"due_flags_by_field": other | {"HLX_Target": due}, "output": output})


@pytest.mark.parametrize(("due", "found"), [(SOME, SOME), (ALL, ALL), (NONE, NONE), (NONE, SOME)])
def test_flags_that_were_restored_or_are_new_are_in_order(due: Flags, found: Flags) -> None:
    assert verdict(0, with_flags(due, found))


@pytest.mark.parametrize(
    ("due", "found", "told"),
    [
        (SOME, NONE, "has no flags, which were restored, of HLX_Target"),
        (ALL, NONE, "has no flags, which were restored, of HLX_Target"),
        (SOME, ALL, "has all values flagged, which were not, of HLX_Target"),
        (NONE, ALL, "has all values flagged, which were not, of HLX_Target"),
    ],
)
def test_a_field_that_lost_its_flags_or_its_data_is_incomplete(due: Flags, found: Flags, told: str) -> None:
    reason, detail = reason_of(0, with_flags(due, found))
    assert reason is ReasonCode.OUTPUT_INCOMPLETE
    assert told in detail


def test_a_column_that_no_row_needs_may_be_without_values() -> None:
    assert verdict(0, changed(undefined=("FLAG_CATEGORY",)))


def test_more_rows_than_promised_are_none_lost() -> None:
    assert verdict(0, changed(rows_by_field={"J0510+1800": 101, "HLX_Target": 200}))


@pytest.mark.parametrize("status", [-9, 137])
def test_a_signal_is_a_crash_that_names_signal_and_step(status: int) -> None:
    assert reason_of(status, CasaResult(step="applycal")) == (
        ReasonCode.CASA_CRASHED,
        "CASA was ended by SIGKILL in step applycal",
    )


def test_an_exception_is_told_with_its_step() -> None:
    reason, detail = reason_of(1, CasaResult(step="importasdm", error="Exception: ASDM conversion error"))
    assert reason is ReasonCode.CASA_FAILED
    assert detail == "exit status 1 in step importasdm: Exception: ASDM conversion error"


def test_without_a_result_the_last_printed_line_is_told() -> None:
    reason, detail = reason_of(1, CasaResult(step="split"), printed="Traceback\nImportError: no casatools\n")
    assert reason is ReasonCode.CASA_FAILED
    assert "ImportError: no casatools" in detail


def test_an_end_without_a_result_is_no_success() -> None:
    assert reason_of(0, CasaResult(step="split"))[0] is ReasonCode.CASA_FAILED


@pytest.mark.parametrize("error", ["RuntimeError: Table x.tbl does not exist", "Error in Calibrater::setapply."])
def test_a_caltable_that_cannot_be_applied_is_damaged(error: str) -> None:
    assert reason_of(1, CasaResult(step="applycal", error=error))[0] is ReasonCode.CALTABLE_DAMAGED


def test_another_version_than_called_for_has_its_reason() -> None:
    assert reason_of(1, CasaResult(error="CasaVersionError: x"))[0] is ReasonCode.CASA_VERSION_UNAVAILABLE


@pytest.mark.parametrize("status", [0, 1])
def test_rows_lost_on_import_are_the_reason_whatever_followed(status: int) -> None:
    lossy = CasaResult(step="flagmanager", error="x", imported_rows_by_field={"J0510+1800": 100, "HLX_Target": 150})
    reason, detail = reason_of(status, lossy)
    assert reason is ReasonCode.OUTPUT_INCOMPLETE
    assert "HLX_Target: 150 of 200" in detail


@pytest.mark.parametrize(
    ("result", "selected", "told"),
    [
        (changed(rows_by_field={"J0510+1800": 99, "HLX_Target": 200}), (), "J0510+1800: 99 of 100"),
        (changed(columns=tuple(COLUMNS - {"WEIGHT"})), (), "lacks WEIGHT"),
        (changed(subtables=tuple(SUBTABLES - {"FIELD"})), (), "lacks FIELD"),
        (GOOD, ("J0510+1800",), "not asked for: HLX_Target"),
        (changed(damaged=("FIELD cannot be read: cut",), rows_by_field={}), (), "damaged: FIELD cannot be read: cut"),
        (changed(undefined=("DATA", "FLAG_CATEGORY")), (), "lacks DATA"),
    ],
)
def test_an_output_that_is_not_what_was_asked_for_is_incomplete(
    result: CasaResult, selected: tuple[str, ...], told: str
) -> None:
    reason, detail = reason_of(0, result, selected=selected)
    assert reason is ReasonCode.OUTPUT_INCOMPLETE
    assert told in detail


def test_only_the_rows_of_selected_fields_are_asked_for() -> None:
    assert verdict(0, changed(rows=100, rows_by_field={"J0510+1800": 100}), selected=("J0510+1800",)).rows == 100


@pytest.mark.parametrize(
    "trouble",
    [
        {"status": -6, "disk_is_full": True},
        {"status": 134, "disk_is_full": True},
        {"status": 1, "result": CasaResult(error="OSError: [Errno 28] No space left on device")},
        {"status": -6, "printed": "AipsError: write: No space left on device"},
    ],
)
def test_a_full_disk_is_a_matter_of_time(trouble: dict[str, object]) -> None:
    with pytest.raises(ScratchFullError):
        verdict(**trouble)  # type: ignore[arg-type]  # a table of keywords


@pytest.mark.parametrize("status", [1, -11])
def test_a_casa_that_does_not_come_to_the_data_says_nothing_about_it(status: int) -> None:
    with pytest.raises(CasaAwayError, match="check its installation") as raised:
        verdict(status, CasaResult(step="loading CASA", error="ImportError: no casatools"))
    assert raised.value.transient


def test_an_abort_with_room_on_the_disk_is_a_crash() -> None:
    assert reason_of(-6, CasaResult(step="split"))[0] is ReasonCode.CASA_CRASHED


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("single pass", ReasonCode.CASA_FAILED),
        ("pipeline", ReasonCode.PIPELINE_FAILED),
        ("scriptForPI", ReasonCode.SCRIPT_FAILED),
    ],
)
def test_an_unexpected_severe_line_fails_the_restore(method: str, expected: ReasonCode) -> None:
    reason, detail = reason_of(0, GOOD.model_copy(update={"method": method}), severe=("split bad",))
    assert reason is expected
    assert "split bad" in detail


def test_severe_lines_are_those_that_a_good_restore_does_not_have() -> None:
    log = [
        "2026-01-01 00:00:00\tINFO\timportasdm\tSEVERE is only a word here\n",
        "2026-01-01 00:00:00\tSEVERE\timportasdm::MeasTable::dUTC(Double) (file x)\tLeap second table is old.\n",
        "2026-01-01 00:00:00\tSEVERE\timportasdm::MeasTable::dUTC(Double) (file x)+\tUntil the table is updated\n",
        "2026-01-01 00:00:00\tSEVERE\tmstransform\tCaltable x is missing the following fields: scan scanmap\n",
        "no log line\n",
        "2026-01-01 00:00:00\tSEVERE\tsplit\tthe disk burns\n",
    ]
    assert list(severe_lines(log, method="single pass")) == ["split the disk burns"]
    assert list(severe_lines(log, method="single pass", harmless=["^split .* burns"])) == []


def test_what_is_harmless_depends_on_the_way() -> None:
    log = ["2026-01-01 00:00:00\tSEVERE\tpipeline.infrastructure.launcher\tError creating hard link to CASA log\n"]
    assert list(severe_lines(log, method="pipeline")) == []
    assert list(severe_lines(log, method="reference")) != []


@pytest.fixture
def ms(tmp_path: Path) -> Path:
    folder = tmp_path / "x.ms"
    for table in (folder, folder / "FIELD"):
        table.mkdir()
        for name in ("table.dat", "table.info", "table.lock"):
            (table / name).write_bytes(b"x")
    return folder


def test_whole_tables_pass(ms: Path) -> None:
    check_files(ms)


@pytest.mark.parametrize("name", ["table.dat", "FIELD/table.lock", "FIELD/table.info"])
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_table_without_its_files_is_incomplete(ms: Path, name: str, damage: object) -> None:
    assert callable(damage)
    damage(ms / name)
    with pytest.raises(BlockFailedError, match=name.replace(".", r"\.")) as raised:
        check_files(ms)
    assert raised.value.reason is ReasonCode.OUTPUT_INCOMPLETE


def test_no_output_at_all_is_incomplete(tmp_path: Path) -> None:
    with pytest.raises(BlockFailedError):
        check_files(tmp_path / "x.ms")


def test_a_promise_counts_all_fields() -> None:
    assert PROMISE.rows == 300
    assert replace(PROMISE, rows_by_field={}).fields == ()
