"""No file of a delivered MeasurementSet can be cut or lost without notice: each is, once, and CASA looks."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.reasons import ReasonCode
from observatory.blocks import MadeBlock
from observatory.casa_process import casa_environment
from services.casa_runner import casa
from services.casa_runner.asdm import AsdmPromise
from services.casa_runner.job import Described
from services.casa_runner.verify import check_output
from shared.errors import BlockFailedError
from tests.support import casa_damage
from tests.support.casa_fixtures import block

__all__ = ["block"]
pytestmark = pytest.mark.timeout(300)

Told = dict[str, dict[str, Described]]


@pytest.fixture(scope="module")
def told(block: MadeBlock, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What was described, by damage and file."""
    folder = tmp_path_factory.mktemp("damaged")
    ms, answer = folder / block.truth.name, folder / "answer.json"
    shutil.copytree(block.truth, ms)
    scripts = Path(casa.__file__).parent
    command = [sys.executable, str(casa_damage.__file__), str(scripts), str(ms), str(answer)]
    subprocess.run(command, env=casa_environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    found = json.loads(answer.read_text())
    return {how: {name: Described.model_validate(each) for name, each in files.items()} for how, files in found.items()}


def promised(whole: Described) -> AsdmPromise:
    return AsdmPromise(rows_by_field=whole.rows_by_field, start=0)


def verdict(described: Described, promise: AsdmPromise) -> ReasonCode | None:
    try:
        check_output(described, promise, ())
    except BlockFailedError as error:
        return error.reason
    return None


def test_what_is_whole_passes(told: Told, block: MadeBlock) -> None:
    whole = told["whole"][""]
    assert whole.rows == block.facts.rows
    assert (whole.damaged, whole.undefined) == ((), ("FLAG_CATEGORY",))
    check_output(whole, promised(whole), ())


@pytest.mark.parametrize("how", casa_damage.DAMAGES)
def test_a_data_file_that_was_cut_or_lost_is_noticed(told: Told, how: str) -> None:
    assert {"table.f17", "table.f17_TSM1", "FIELD/table.f0", "POINTING/table.f0i"} < set(told[how])
    promise = promised(told["whole"][""])
    verdicts = {file: verdict(described, promise) for file, described in told[how].items()}
    assert [file for file, reason in verdicts.items() if reason is not ReasonCode.OUTPUT_INCOMPLETE] == []
    assert all(described.damaged for described in told[how].values())
