"""A private RabbitMQ broker for tests: start, stop, kill and start it again."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from uuid import uuid4

import pika
from pika.exceptions import AMQPError

from tests.support.certificates import Certificate
from tests.support.ports import free_ports
from tests.support.private_server import PrivateServer, wait_until
from tests.support.standing_still import group_of, standing_still

_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_DOWN = 20.0
_DISK_FREE = 50_000_000
LONG_JOBS = 1_000_000
"""Seconds that an event may be held: a broker for restores of days has it in its configuration file."""


class RabbitServer(PrivateServer):
    """Runs a RabbitMQ server with its own folder, node name, port mapper and ports, all on loopback.

    Use it as a context manager. The data outlives `stop` and `kill`, and ends with the context.

    Parameters
    ----------
    folder
        Where the broker keeps its data and logs; a temporary folder if None.
    rabbit
        Settings of the Erlang application ``rabbit``, e.g. ``consumer_timeout`` in milliseconds.
    management
        Whether the management plugin runs, which ``rabbitmqadmin`` talks to.
    prometheus
        Whether the broker shows its metrics on `prometheus_port`.
    tls
        A certificate to listen with on `tls_port` too.
    clients
        The authority of which a client has to show a certificate there; none is asked for if None.
    """

    def __init__(
        self,
        *,
        folder: Path | None = None,
        rabbit: Mapping[str, int] | None = None,
        management: bool = False,
        prometheus: bool = False,
        tls: Certificate | None = None,
        clients: Certificate | None = None,
    ) -> None:
        if not _SERVER.exists():
            raise FileNotFoundError(f"{_SERVER} is missing: install it by `apt-get install rabbitmq-server`")
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="rabbitmq-"))
        self.port, self.tls_port, self.management_port, self._epmd_port, self._dist_port, self.prometheus_port = (
            free_ports(6)
        )
        self._prometheus = prometheus
        self._tls = tls
        self._clients = clients
        self._management = management
        self._node = f"test-{uuid4().hex[:8]}@localhost"
        self._rabbit = {"consumer_timeout": LONG_JOBS * 1000} | dict(rabbit or {})
        self._server: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the broker listens."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def begin(self) -> None:
        """Start the broker."""
        self.start()

    def start(self, *, timeout: float = 60.0) -> None:
        """Start the broker on its data and wait until it lets clients in."""
        self._start_epmd()
        self._write_config()
        with (self.folder / "console.log").open("ab") as console:
            self._server = subprocess.Popen(
                [_SERVER],
                cwd=self.folder,
                env=self._environment(),
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        log = self.folder / "console.log"
        wait_until(self._lets_in, name="RabbitMQ", process=self._server, log=log, timeout=timeout)

    def stop(self) -> None:
        """End the broker in peace."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill -9 the broker, as a crash does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill -9 the broker and start it again."""
        self.kill()
        self.start()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Let the broker stand still as on a machine that hangs: connections stay, and nothing is answered on them."""
        assert self._server is not None
        with standing_still(group_of(self._server.pid)):
            yield

    @contextmanager
    def low_on_disk(self) -> Iterator[None]:
        """Raise the broker's alarm that too little of its disk is free, and take it back."""
        self._limit_disk(10**15)
        try:
            yield
        finally:
            self._limit_disk(_DISK_FREE)

    def close(self) -> None:
        """End the broker and its port mapper, and remove its data."""
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self._server is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._server.pid, how)
        try:
            self._server.wait(_DOWN)
        except subprocess.TimeoutExpired:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
        self._server = None

    def _limit_disk(self, least: int) -> None:
        """Set how many bytes have to be free, by Erlang's own call of a function over there."""
        cookie = (self.folder / ".erlang.cookie").read_text()
        told = f"rabbit_disk_monitor set_disk_free_limit [{least}]"
        command = ["erl_call", "-sname", self._node, "-c", cookie, "-a", told]
        said = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=True).stdout
        assert said == "ok", said

    def _start_epmd(self) -> None:
        if self._epmd is None:
            command = ["epmd", "-address", "127.0.0.1", "-port", str(self._epmd_port)]
            self._epmd = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _wait_for_port(self._epmd_port)

    def _write_config(self) -> None:
        lines: tuple[str, ...] = (
            f"listeners.tcp.1 = 127.0.0.1:{self.port}",
            "vm_memory_high_watermark.absolute = 1GB",
            f"disk_free_limit.absolute = {_DISK_FREE}",
            *self._tls_lines(),
        )
        if self._management:
            lines += (f"management.tcp.port = {self.management_port}", "management.tcp.ip = 127.0.0.1")
        if self._prometheus:
            lines += (f"prometheus.tcp.port = {self.prometheus_port}", "prometheus.tcp.ip = 127.0.0.1")
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        terms = ", ".join(f"{{{name}, {value}}}" for name, value in self._rabbit.items())
        (self.folder / "advanced.config").write_text(f"[{{rabbit, [{terms}]}}].\n")
        wanted = {"rabbitmq_management": self._management, "rabbitmq_prometheus": self._prometheus}
        plugins = ",".join(plugin for plugin, runs in wanted.items() if runs)
        (self.folder / "enabled_plugins").write_text(f"[{plugins}].\n")

    def _tls_lines(self) -> tuple[str, ...]:
        if self._tls is None:
            return ()
        return (
            f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}",
            f"ssl_options.cacertfile = {(self._clients or self._tls).certificate}",
            f"ssl_options.certfile = {self._tls.certificate}",
            f"ssl_options.keyfile = {self._tls.key}",
            f"ssl_options.verify = {'verify_peer' if self._clients else 'verify_none'}",
            f"ssl_options.fail_if_no_peer_cert = {'true' if self._clients else 'false'}",
        )

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _lets_in(self) -> bool:
        try:
            pika.BlockingConnection(pika.URLParameters(self.url)).close()
        except (AMQPError, OSError):
            return False
        return True


def _wait_for_port(port: int, timeout: float = 10.0) -> None:
    until = monotonic() + timeout
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            if monotonic() > until:
                raise
            sleep(0.02)
        else:
            return
