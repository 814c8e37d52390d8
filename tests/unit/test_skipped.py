"""In CI nothing is skipped, whoever calls it."""

import os
import subprocess
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CI = Path(__file__).parents[2] / ".ci" / "run"
TESTS = """
import pytest

@pytest.mark.skip(reason="no broker here")
def test_with_a_broker() -> None: ...

def test_without() -> None: ...
"""


@pytest.mark.parametrize(
    ("ci", "status"), [("1", pytest.ExitCode.TESTS_FAILED), ("", pytest.ExitCode.OK)], ids=["in CI", "at a desk"]
)
def test_a_skipped_test_fails_the_run_only_in_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, status: pytest.ExitCode
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest("from tests.conftest import pytest_sessionfinish")
    pytester.makepyfile(TESTS)
    ran = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    ran.assert_outcomes(passed=1, skipped=1)
    assert ran.ret == status
    assert ("Skipped tests are failures in CI." in ran.stdout.str()) == bool(ci)


def test_ci_says_that_it_is_ci(tmp_path: Path) -> None:
    make = tmp_path / "make"
    make.write_text('#!/bin/sh\necho "make $* with CI=$CI"\n')
    make.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ran = subprocess.run([CI], env=environment, capture_output=True, text=True, timeout=30, check=True)
    assert ran.stdout == "make test with CI=1\n"
