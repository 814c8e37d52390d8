"""The doctor starts CASA to hear its version, or looks for its images where a container engine is asked for them."""

import os
import sys
from pathlib import Path

import pytest

from services.casa_runner.examining import examine_casa
from services.casa_runner.launchers.settings import CasaPlace, ContainerSettings
from services.casa_runner.settings import CasaRunnerSettings
from shared.findings import Verdict
from tests.support.casa_jobs import USER
from tests.support.docker_engine import IMAGE, OTHER_IMAGE, DockerEngine

AS_USER = USER if os.getuid() == 0 else None
MISSING = "alma-restore-test/casa-5.1:gone"


def found(engine: str, usual: CasaPlace, **others: CasaPlace) -> dict[str, tuple[Verdict, str, str]]:
    launcher = ContainerSettings(engine=engine, user=AS_USER, casa=usual, casas=others, engine_timeout=5)
    findings = examine_casa(CasaRunnerSettings(launcher=launcher))
    return {one.check: (one.verdict, one.found, one.advice) for one in findings}


def test_casa_says_its_version_where_it_is_at_home_for_the_first_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # by itself CASA wants data there, and would fetch them
    findings = examine_casa(CasaRunnerSettings(python=Path(sys.executable)))
    seen = {one.check: (one.verdict, one.found) for one in findings}
    verdict, said = seen["CASA: version of usual"]
    assert (verdict, said[:6]) == (Verdict.OK, "CASA 6"), said
    assert list(tmp_path.iterdir()) == []


def test_images_that_are_there_are_named_and_one_that_is_not_fails_with_how_to_get_it(
    docker_engine: DockerEngine,
) -> None:
    here, other, gone = (CasaPlace(command=(sys.executable,), image=image) for image in (IMAGE, OTHER_IMAGE, MISSING))
    seen = found(docker_engine.address, here, **{"casa-4.7.2": other, "casa-5.1": gone})
    assert seen["CASA: launcher"][0] is Verdict.OK
    assert seen["CASA: image of usual"][0] is Verdict.OK
    assert seen["CASA: image of usual"][1].startswith(f"{IMAGE} (sha256:")
    assert seen["CASA: image of casa-4.7.2"][0] is Verdict.OK
    verdict, what, advice = seen["CASA: image of casa-5.1"]
    assert (verdict, advice) == (Verdict.FAIL, f"docker pull {MISSING}, or build it")
    assert MISSING in what


def test_a_place_without_an_image_fails_with_the_setting(docker_engine: DockerEngine) -> None:
    seen = found(docker_engine.address, CasaPlace(command=(sys.executable,)))
    verdict, _, advice = seen["CASA: image of usual"]
    assert (verdict, advice) == (Verdict.FAIL, "set ALMA_RESTORE_CASA_RUNNER_LAUNCHER__CASA__IMAGE")


def test_an_engine_that_does_not_answer_is_what_fails(tmp_path: Path) -> None:
    here = CasaPlace(command=(sys.executable,), image=IMAGE)
    seen = found(f"unix://{tmp_path}/nobody.sock", here)
    assert {check: verdict for check, (verdict, _, _) in seen.items()} == {"CASA: launcher": Verdict.FAIL}
