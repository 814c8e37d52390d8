"""The single pass gives the reference's data to the bit, or a rule that names why it is not taken."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from observatory.blocks import MadeBlock
from observatory.casa_process import casa_environment
from services.casa_runner import casa
from services.casa_runner.asdm import rows_in
from services.casa_runner.halves import cut
from services.casa_runner.job import keywords
from services.casa_runner.observed import Observed, read_observed
from services.casa_runner.single_pass import make_library
from shared.pipeline_files import ApplyCall
from tests.support import casa_matrix
from tests.support.casa_correlator import add_autocorrelations, add_flags
from tests.support.casa_fixtures import block
from tests.support.casa_orders import ALL

__all__ = ["block"]
# Forty seconds of CPU time in one fixture; a busy machine takes its time over it.
pytestmark = pytest.mark.timeout(1200)

FIELDS = ("J0510+1800", "J0423-0120", "J0321+1234", "HLX_Target")
INTENTS = ("BANDPASS", "AMPLITUDE", "PHASE,AMPLITUDE", "TARGET")
TABLES = {"tsys": "tsyscal", "bandpass": "bcal", "phase": "solintint.gpcal", "scan": "solintinf.gpcal", "flux": "gacal"}


Case = tuple[tuple[ApplyCall, ...], dict[str, object]]


def call(line: int, field: str, *tables: tuple[str, str, Sequence[int], str, bool], **more: str) -> ApplyCall:
    """Make one call of a table's name, gain field, spwmap, interpolation and calwt each."""
    names, gainfields, spwmaps, interps, calwts = zip(*tables, strict=True)
    options = tuple((name, more.pop(name)) for name in ("applymode", "parang") if name in more)
    where = {"intent": "", "spw": "0~1", "antenna": "0~7"} | more
    return ApplyCall(
        line=line,
        vis="x.ms",
        field=field,
        gaintable=names,
        gainfield=gainfields,
        spwmap=tuple(tuple(spwmap) for spwmap in spwmaps),
        interp=interps,
        calwt=calwts,
        options=options,
        **where,
    )


def calibration(
    *,
    tsys: str = "tsys",
    bandpass: str = "bandpass",
    phase: str = "phase",
    scan: str = "scan",
    tsys_map: Sequence[int] = (0, 1),
    phase_map: Sequence[int] = (),
    tsys_interp: str = "linear,linear",
    phase_interp: str = "linear,linear",
    scan_interp: str = "linearPD,linear",
    gainfield: str | None = None,
    calwt: tuple[bool, bool, bool, bool] = (True, True, False, False),
    order: Sequence[int] = (0, 1, 2, 3),
    **more: str,
) -> tuple[ApplyCall, ...]:
    """Calibrate every field as the pipeline does, but for what is said."""
    calls = []
    for number, field in enumerate(FIELDS):
        is_target = number == 3
        gain = (FIELDS[2] if is_target else field) if gainfield is None else gainfield
        tables = (
            (tsys, gain, tsys_map, tsys_interp, calwt[0]),
            (bandpass, "", (), "linear,linear", calwt[1]),
            (scan, gain, phase_map, scan_interp, calwt[2])
            if is_target
            else (phase, gain, phase_map, phase_interp, calwt[2]),
            ("flux", gain, phase_map, "linear,linear", calwt[3]),
        )
        given = {"intent": INTENTS[number]} | more
        calls.append(call(number + 2, field, *(tables[place] for place in order), **given))
    return tuple(calls)


PHASE = ("scan", FIELDS[2], (), "nearest,linear", False)
SHORT = (("tsys", FIELDS[2], (0, 1), "linear,linear", True), ("bandpass", "", (), "linear,linear", True))
BY_INTENT = tuple(
    call(line, "", *SHORT, PHASE, intent=intent)
    for line, intent in enumerate(("BANDPASS", "AMPLITUDE", "PHASE", "TARGET"), start=2)
)
PLAIN = calibration()

CASES: dict[str, Case] = {
    "as the pipeline": (PLAIN, {}),
    "autocorrelations too": (calibration(antenna=""), {}),
    "tsys mapped": (calibration(tsys="tsys_spw0", tsys_map=(0, 0)), {}),
    "all maps crossed": (calibration(tsys_map=(1, 0), phase_map=(0, 0)), {}),
    "short map": (calibration(tsys_map=(1,)), {}),
    "nearest": (
        calibration(tsys_interp="nearest,nearest", phase_interp="nearest,linear", scan_interp="nearest,linear"),
        {},
    ),
    "interpolation by default": (calibration(tsys_interp="", phase_interp="", scan_interp="linear"), {}),
    "flags are interpolated": (calibration(tsys_interp="linear,linearflag", tsys="tsys_channels"), {}),
    "long gap, linearPD": (calibration(scan="scan_gap"), {}),
    "gain fields nearest": (calibration(gainfield="nearest"), {}),
    "gain fields listed": (calibration(gainfield=f"{FIELDS[0]},{FIELDS[2]}"), {}),
    "gain fields by number": (calibration(gainfield="0,2"), {}),
    "all gain fields": (calibration(gainfield=""), {}),
    "solutions flagged": (
        calibration(tsys="tsys_flagged", bandpass="bandpass_one_pol", phase="phase_flagged", scan="scan_flagged"),
        {},
    ),
    "antennas missing": (calibration(tsys="tsys_no_antenna", bandpass="bandpass_no_antenna"), {}),
    "a spw all flagged": (calibration(tsys="tsys_all_flagged"), {}),
    "calflag": (
        calibration(tsys="tsys_flagged", bandpass="bandpass_flagged", phase="phase_flagged", applymode="calflag"),
        {},
    ),
    "modes mixed": (PLAIN[:2] + calibration(bandpass="bandpass_one_pol", applymode="calflag")[2:], {}),
    "no weights": (calibration(calwt=(False, False, False, False)), {}),
    "all weights": (calibration(calwt=(True, True, True, True)), {}),
    "weights differ between calls": (PLAIN[:3] + calibration(calwt=(False, True, False, True))[3:], {}),
    "tables in another order": (calibration(order=(3, 2, 1, 0)), {}),
    "two intents of one field": (
        (*PLAIN[:2], call(9, FIELDS[2], *SHORT, PHASE, intent="AMPLITUDE"), calibration(intent="PHASE")[2], PLAIN[3]),
        {},
    ),
    "calls by intent alone": (BY_INTENT, {}),
    "a call per spw": (
        tuple(
            call(10 * number + spw, FIELDS[number], *SHORT[: 2 - spw], PHASE, spw=str(spw))
            for number in range(4)
            for spw in (0, 1)
        ),
        {},
    ),
    "fields uncovered": (PLAIN[:2], {}),
    "a spw uncovered": (calibration(spw="1"), {}),
    "fields by pattern": ((call(2, "J*", *SHORT, PHASE), call(3, "HLX*", *SHORT, PHASE)), {}),
    "calibrators only": (PLAIN[:3], {"fields": ["J0510+1800", "J0321+1234"]}),
    "one spw, averaged": (
        calibration(antenna=""),
        {"transform": {"spw": "1", "chanaverage": True, "chanbin": 4, "timeaverage": True, "timebin": "30s"}},
    ),
    "science alone": (PLAIN, {"fields": ["HLX_Target"]}),
}
RULES: dict[str, tuple[tuple[ApplyCall, ...], str]] = {
    "a spw without solutions": (calibration(tsys="tsys_spw0"), "solutions_incomplete: tsys_spw0"),
    "a gain field without solutions": (
        calibration(phase="phase_no_flux_field"),
        "gainfield_unsolved: phase_no_flux_field",
    ),
}


@pytest.fixture(scope="module")
def asdm(block: MadeBlock, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The block with autocorrelations, flags of the correlator, and a field that is observed for two purposes."""
    folder = tmp_path_factory.mktemp("matrix") / block.asdm.name
    shutil.copytree(block.asdm, folder)
    add_autocorrelations(folder)
    add_flags(folder)
    scans = (folder / "Scan.xml").read_text()
    one = re.compile(r"(<row>(?:(?!</row>).)*?<scanNumber> 5 (?:(?!</row>).)*?)CALIBRATE_PHASE", re.DOTALL)
    changed, times = one.subn(r"\1CALIBRATE_FLUX", scans)
    assert times == 1
    (folder / "Scan.xml").write_text(changed)
    return folder


@pytest.fixture(scope="module")
def observed(asdm: Path) -> Observed:
    return read_observed(rows_in(lambda name: (asdm / f"{name}.xml").read_bytes()))


def job_of(case: Case, observed: Observed) -> dict[str, object]:
    calls, more = case
    library = make_library(calls, observed, averaged="transform" in more)
    return {
        "calls": [keywords(one) for one in calls],
        "library": [asdict(term) for term in library.terms],
        "raw_autocorrelations": library.raw_autocorrelations,
        "fields": [],
        "transform": {},
    } | more


@pytest.fixture(scope="module")
def answer(
    block: MadeBlock, asdm: Path, observed: Observed, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What both ways made of every case, and how much the correlator had flagged."""
    folder = tmp_path_factory.mktemp("ways")
    (folder / "work").mkdir()
    cases: dict[str, Case] = CASES | {name: (calls, {}) for name, (calls, _) in RULES.items()}
    tables = {
        name: next(str(path) for path in block.caltables if path.name.removesuffix(".tbl").endswith(ending))
        for name, ending in TABLES.items()
    }
    laid_out = folder / "work" / asdm.name
    laid_out.symlink_to(asdm)
    order = {
        "asdm": asdm.name,
        "halves": cut(laid_out, ALL),
        "folder": str(folder / "work"),
        "scripts": str(Path(casa.__file__).parent),
        "tables": tables,
        "cases": {name: job_of(case, observed) for name, case in cases.items()},
        "answer": str(folder / "answer.json"),
    }
    (folder / "order.json").write_text(json.dumps(order))
    with (folder / "printed.txt").open("w") as printed:
        status = subprocess.run(
            [sys.executable, casa_matrix.__file__, folder / "order.json"],
            env=casa_environment(folder),
            stdout=printed,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    assert status == 0, (folder / "printed.txt").read_text()[-3000:]
    told: dict[str, Any] = json.loads((folder / "answer.json").read_text())
    return told


@pytest.fixture(scope="module")
def outcomes(answer: dict[str, Any]) -> dict[str, dict[str, object]]:
    """What both ways made of every case."""
    cases: dict[str, dict[str, object]] = answer["cases"]
    return cases


@pytest.mark.parametrize("name", CASES)
def test_the_single_pass_equals_the_reference_to_the_bit(name: str, outcomes: dict[str, dict[str, object]]) -> None:
    assert outcomes[name] == {"differs": []}


@pytest.mark.parametrize("name", RULES)
def test_tables_without_solutions_are_seen_before_anything_is_imported(
    name: str, outcomes: dict[str, dict[str, object]]
) -> None:
    assert outcomes[name] == {"rule": RULES[name][1]}


def test_the_block_has_what_the_matrix_is_about(observed: Observed, answer: dict[str, Any]) -> None:
    assert observed.autocorrelations
    assert answer["flagged_by_correlator"] == pytest.approx(0.1, abs=0.01)
    modes: Callable[[str], set[frozenset[str]]] = lambda name: {  # noqa: E731 (a table of one)
        cell.modes for cell in observed.cells if observed.fields[cell.field] == name
    }
    assert modes("J0321+1234") == {frozenset({"CALIBRATE_PHASE"}), frozenset({"CALIBRATE_FLUX"})}
    assert {cell.spw for cell in observed.cells} == {0, 1}
