"""A Prometheus of its own for tests: it scrapes what it is told, on loopback, and answers queries."""

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from tests.support.ports import free_ports
from tests.support.private_server import PrivateServer, wait_until


class InvalidQueryError(Exception):
    """Prometheus does not understand an expression."""


class PrometheusServer(PrivateServer):
    """Runs ``prometheus`` with a folder and a port of its own; a context manager.

    Parameters
    ----------
    config
        Its configuration, as its file has it.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        program = shutil.which("prometheus")
        if program is None:
            raise FileNotFoundError("prometheus is missing: install it by `apt-get install prometheus`")
        self._program = program
        self._config = config
        self._folder = Path(tempfile.mkdtemp(prefix="prometheus-"))
        (port,) = free_ports(1)
        self._address = f"127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start it and wait until it is ready."""
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(dict(self._config)))
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    self._program,
                    f"--config.file={self._folder}/prometheus.yml",
                    f"--storage.tsdb.path={self._folder}/data",
                    f"--web.listen-address={self._address}",
                ],
                stdout=log,
                stderr=log,
            )
        wait_until(self._is_ready, name="Prometheus", process=self._process, log=self._folder / "log", timeout=30.0)

    def close(self) -> None:
        """End it and remove its folder."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder)

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Evaluate an expression now; return its series.

        Raises
        ------
        InvalidQueryError
            If it is no expression.
        """
        series: list[dict[str, Any]] = self._get("query", query=expr)["result"]
        return series

    def wait_for(self, expr: str, *, timeout: float = 30.0) -> None:
        """Wait until an expression has a series."""
        until = time.monotonic() + timeout
        while not self.query(expr):
            assert time.monotonic() < until, f"there is nothing of {expr}: {self._targets()}"
            time.sleep(0.2)

    def rules(self) -> list[dict[str, Any]]:
        """Return every rule, with its health."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _targets(self) -> list[tuple[str, str]]:
        """Say what is wrong with what is scraped."""
        return [(one["scrapeUrl"], one["lastError"]) for one in self._get("targets")["activeTargets"]]

    def _get(self, what: str, **parameters: str) -> Any:
        try:
            with urlopen(f"http://{self._address}/api/v1/{what}?{urlencode(parameters)}", timeout=10) as answer:
                return json.load(answer)["data"]
        except HTTPError as error:
            raise InvalidQueryError(error.read().decode()) from error

    def _is_ready(self) -> bool:
        try:
            urlopen(f"http://{self._address}/-/ready", timeout=5).close()
        except OSError:
            return False
        return True
