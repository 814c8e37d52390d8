"""Scratch is examined: whether a restore could write there, and how large a one."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from services.casa_runner.examining import examine_scratch
from services.casa_runner.settings import CasaRunnerSettings
from shared.findings import Verdict

GB = 1_000_000_000


def examined(scratch: Path, **settings: Any) -> dict[str, tuple[Verdict, str, str]]:
    findings = examine_scratch(CasaRunnerSettings(scratch=scratch, **settings))
    return {each.check: (each.verdict, each.found, each.advice) for each in findings}


@pytest.mark.parametrize("scratch", ["{tmp}/file/scratch", "/proc/scratch", "/proc"])
def test_scratch_that_cannot_be_made_or_written_fails_and_no_more_is_said_of_it(tmp_path: Path, scratch: str) -> None:
    (tmp_path / "file").touch()
    place = Path(scratch.format(tmp=tmp_path))
    found = examined(place)
    assert {check: verdict for check, (verdict, _, _) in found.items()} == {"scratch: directory": Verdict.FAIL}
    assert str(place) in found["scratch: directory"][2]


@pytest.mark.parametrize(
    ("free", "wanted", "verdict", "size"),
    [
        (42 * GB, {"disk_factor": 4}, Verdict.OK, "10.0 GB"),
        (41 * GB, {"disk_factor": 4}, Verdict.WARN, "9.8 GB"),
        (2 * GB, {}, Verdict.FAIL, "0 B"),
        (37 * GB, {}, Verdict.OK, "10.0 GB"),
        (57 * GB, {"way": "reference"}, Verdict.OK, "10.0 GB"),
    ],
)
def test_scratch_has_room_for_an_asdm_of_a_size_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, wanted: dict[str, Any], verdict: Verdict, size: str
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    found = examined(tmp_path, disk_reserve=2 * GB, **wanted)
    assert found["scratch: room"][:2] == (verdict, f"{free // GB}.0 GB free, enough for an ASDM of {size}")
    assert ("make room" in found["scratch: room"][2]) is (verdict is not Verdict.OK)
    assert found["scratch: directory"][0] is found["scratch: locks"][0] is Verdict.OK
