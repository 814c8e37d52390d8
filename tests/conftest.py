"""What all tests share: the cache of synthetic execution blocks, and the rule that CI skips nothing."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def observatory_cache() -> Path:
    """Folder in which synthetic execution blocks are kept from run to run."""
    folder = Path(__file__).parents[1] / ".cache" / "observatory"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI in which anything was skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("Skipped tests are failures in CI.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
