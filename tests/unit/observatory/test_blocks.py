"""The cache of blocks knows what makes other data, and a CASA process that fails says why."""

from dataclasses import replace
from pathlib import Path

import pytest

from contracts.identifiers import ExecBlockUid, MousUid, SessionName
from observatory.blocks import BlockSize, BlockSpec
from observatory.casa_process import CasaProcessError, casa_environment, run_casa_script

SPEC = BlockSpec(
    eb_uid=ExecBlockUid("uid://A002/Xc7111c/X3979"),
    mous_uid=MousUid("uid://A001/X1284/X265f"),
    session=SessionName("session_1"),
)


@pytest.mark.parametrize(
    "other",
    [
        replace(SPEC, seed=2),
        replace(SPEC, size=BlockSize.MEDIUM),
        replace(SPEC, eb_uid=ExecBlockUid("uid://A002/Xc7111c/X409e")),
        replace(SPEC, mous_uid=MousUid("uid://A001/X1284/X2660")),
    ],
)
def test_another_spec_has_another_place_in_the_cache(other: BlockSpec) -> None:
    assert other.cache_key != SPEC.cache_key
    assert replace(other).cache_key == other.cache_key


def test_a_block_can_change_its_session_without_being_made_again() -> None:
    assert replace(SPEC, session=SessionName("session_3")).cache_key == SPEC.cache_key


def test_a_casa_process_that_fails_tells_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(CasaProcessError, match=r"no_such_script in .* ended with code 1; (.|\n)*No module named"):
        run_casa_script("no_such_script", {}, workdir=tmp_path, scratch=tmp_path, timeout_s=30)


def test_a_casa_process_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    with pytest.raises(CasaProcessError, match="ended with code -9"):
        run_casa_script("make_block", SPEC.order, workdir=tmp_path, scratch=tmp_path, timeout_s=0.2)


def test_casa_is_told_by_absolute_paths_and_gets_nothing_of_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_OURS", "x")
    monkeypatch.chdir(tmp_path)
    environment = casa_environment(Path())
    assert "SECRET_OF_OURS" not in environment
    assert Path(environment["CASASITECONFIG"]).is_absolute()
    assert environment["HOME"] == str(tmp_path)
    settings: dict[str, object] = {}
    exec(Path(environment["CASASITECONFIG"]).read_text(), settings)
    assert Path(str(settings["measurespath"]), "geodetic").is_dir()
    assert settings["measures_auto_update"] is settings["data_auto_update"] is False
