"""Private servers of tests leave nothing behind, and say why they did not start."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.private_server import PrivateServer, wait_until


class Server(PrivateServer):
    def __init__(self, *, fails: bool) -> None:
        self.done: list[str] = []
        self._fails = fails

    def begin(self) -> None:
        self.done.append("begun")
        if self._fails:
            raise RuntimeError("no such port")

    def close(self) -> None:
        self.done.append("closed")


def test_a_server_ends_with_its_context() -> None:
    with Server(fails=False) as server:
        assert server.done == ["begun"]
    assert server.done == ["begun", "closed"]


def test_a_server_that_did_not_start_is_ended_as_well() -> None:
    server = Server(fails=True)
    with pytest.raises(RuntimeError, match="no such port"), server:
        pass
    assert server.done == ["begun", "closed"]


def test_a_server_that_ended_while_it_was_waited_for_shows_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as printed:
        process = subprocess.Popen([sys.executable, "-c", "print('the port is taken')"], stdout=printed)
    with pytest.raises(RuntimeError, match="Its name did not start: the port is taken"):
        wait_until(lambda: False, name="Its name", process=process, log=log, timeout=30.0)
