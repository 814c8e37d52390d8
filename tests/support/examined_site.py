"""A deployment as the environment describes it, which operators' commands examine."""

import json
import socket
from uuid import uuid4

from typer.testing import CliRunner

from alma_restore.cli import app
from tests.support.rabbitmq import RabbitServer

Found = dict[str, tuple[str, str, str]]


class Site:
    """A deployment as the environment describes it."""

    def __init__(self, server: RabbitServer) -> None:
        self.environment = {
            "ALMA_RESTORE_BUS__URL": server.url,
            "ALMA_RESTORE_BUS__PREFIX": f"test-{uuid4().hex[:8]}",
            "ALMA_RESTORE_BUS__SETTLE_TIME": "0",
            "ALMA_RESTORE_STORE__KIND": "directory",
            "COLUMNS": "250",
        }

    def run(self, *arguments: str) -> tuple[int, str]:
        done = CliRunner(env=self.environment).invoke(app, arguments)
        return done.exit_code, done.output

    def examine(self, *services: str) -> tuple[int, Found]:
        """Return the exit code, and verdict, finding and advice by what was looked at."""
        code, output = self.run("doctor", *services, "--json")
        rows = [json.loads(line) for line in output.splitlines()]
        return code, {row["check"]: (row["verdict"], row["found"], row["advice"]) for row in rows}


def of(subject: str, found: Found) -> dict[str, str]:
    return {check: verdict for check, (verdict, _, _) in found.items() if check.startswith(subject)}


def dead_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
