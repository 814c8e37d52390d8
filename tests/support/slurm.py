"""A private Slurm cluster of one node for tests, with accounting: munge, MariaDB, slurmdbd, slurmctld and slurmd."""

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

from tests.support.docker_engine import as_root
from tests.support.ports import free_ports
from tests.support.private_server import PrivateServer

ENOUGH = 180.0
"""Seconds that a job may take to begin: whatever Slurm puts off, it puts off by two minutes."""
FEATURE = "el7"
PARTITION = "batch"
_PROGRAMS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd")
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


class SlurmCluster(PrivateServer):
    """Runs a cluster on loopback, with folders, ports, keys and an accounting database of its own.

    Only slurmd needs root: other users start it by sudo.
    """

    def __init__(self) -> None:
        missing = [name for name in _PROGRAMS if shutil.which(name, path=_PATH) is None]
        if missing:
            raise FileNotFoundError(
                f"{', '.join(missing)} missing: `apt-get install slurm-wlm slurmdbd mariadb-server-core`"
            )
        self._folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._host = socket.gethostname().partition(".")[0]
        self._ports = dict(zip(("slurmdbd", "slurmctld", "slurmd"), free_ports(3), strict=True))

    @property
    def configuration(self) -> Path:
        """The cluster's ``slurm.conf``."""
        return self._folder / "slurm.conf"

    def begin(self) -> None:
        """Start one program after the other, and wait until the node is idle."""
        self._prepare()
        self._start("munged", "--foreground", "--force", *self._munge_options())
        self._start("mariadbd", *self._database_options())
        self._wait_for("a database", (self._folder / "mysql.sock").exists)
        self._start("slurmdbd", "-D")
        self._wait_for("accounting", lambda: self._listens("slurmdbd"))
        self.start_controller()
        self._start("slurmd", "-D", "-N", self._host)
        self._wait_for("an idle node", lambda: self.ask("sinfo", "-h", "-o", "%t") == "idle")

    def start_controller(self) -> None:
        """Start slurmctld on its state and wait until it listens."""
        self._start("slurmctld", "-D")
        self._wait_for("a controller", lambda: self._listens("slurmctld"))

    def stop_controller(self) -> None:
        """End slurmctld, as its upgrade does; jobs work on."""
        self._end("slurmctld", signal.SIGTERM)

    def ask(self, program: str, *arguments: str) -> str:
        """Run one of Slurm's programs and return what it prints."""
        done = subprocess.run([program, *arguments], env=self._environment(), capture_output=True, text=True)
        return done.stdout.strip()

    def said(self) -> str:
        """Return the queue, the node, and the end of what controller and node have logged."""
        logs = (self._folder / f"{name}.log" for name in ("slurmctld", "slurmd"))
        return "\n".join(
            [
                self.ask("squeue", "--states=all", "--format=%i %j %T %r %S"),
                self.ask("scontrol", "--oneliner", "show", "node"),
                *(log.read_text(errors="replace")[-4000:] for log in logs),
            ]
        )

    def close(self) -> None:
        """End the jobs and the cluster, and remove its folder."""
        if "slurmctld" in self._processes:
            self.ask("scancel", "--batch", "--signal=KILL", "--me")
            self._wait_for("no jobs", lambda: not self.ask("squeue", "-h", "--states=R,CG"))
        for name in reversed(list(self._processes)):
            self._end(name, signal.SIGTERM)
        subprocess.run([*as_root(), "rm", "-rf", self._folder], check=True)

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": _PATH,
            "LANG": "C.UTF-8",
            "SLURM_CONF": str(self.configuration),
            "MYSQL_UNIX_PORT": str(self._folder / "mysql.sock"),
        }

    def _start(self, name: str, *arguments: str) -> None:
        root = [*as_root(), "env", f"SLURM_CONF={self.configuration}"] if name == "slurmd" else []
        program = shutil.which(name, path=_PATH)
        assert program is not None
        with (self._folder / f"{name}.out").open("ab") as out:
            self._processes[name] = subprocess.Popen(
                [*root, program, *arguments],
                cwd=self._folder,
                env=self._environment(),
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def _end(self, name: str, how: signal.Signals) -> None:
        process = self._processes.pop(name)
        if process.poll() is None:
            root = as_root() if name == "slurmd" else ()
            subprocess.run([*root, "kill", f"-{how.value}", str(process.pid)], check=True)
        process.wait(30)

    def _listens(self, name: str) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._ports[name]), 1.0).close()
        except OSError:
            return False
        return True

    def _wait_for(self, what: str, condition: Callable[[], bool], timeout: float = 40.0) -> None:
        until = monotonic() + timeout
        while not condition():
            ended = [name for name, process in self._processes.items() if process.poll() is not None]
            if ended or monotonic() > until:
                said = "".join(path.read_text(errors="replace")[-1500:] for path in self._folder.glob("*.out"))
                raise RuntimeError(f"Slurm did not come to {what}; {ended} ended: {said}")
            sleep(0.05)

    def _prepare(self) -> None:
        self._folder.chmod(0o755)
        for name in ("munge", "state", "spool", "mysql"):
            (self._folder / name).mkdir(mode=0o700)
        key = self._folder / "munge" / "key"
        key.write_bytes(secrets.token_bytes(64))
        key.chmod(0o600)
        accounting = self._folder / "slurmdbd.conf"
        accounting.write_text(self._accounting_configuration())
        accounting.chmod(0o600)
        self.configuration.write_text(self._cluster_configuration())
        (self._folder / "cgroup.conf").write_text(_cgroup_configuration())

    def _munge_options(self) -> list[str]:
        folder = self._folder / "munge"
        files = {"key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={folder / name}" for option, name in files.items()]
        return [*options, f"--socket={self._folder / 'munge.sock'}", "--num-threads=2"]

    def _database_options(self) -> list[str]:
        # Without its tables of rights there is nothing to install; the socket's folder is ours alone.
        options = {
            "user": getpass.getuser(),
            "datadir": self._folder / "mysql",
            "socket": self._folder / "mysql.sock",
            "pid-file": self._folder / "mysql" / "pid",
            "innodb-buffer-pool-size": "32M",
            "innodb-flush-log-at-trx-commit": 0,
        }
        told = [f"--{name}={value}" for name, value in options.items()]
        return ["--no-defaults", "--skip-grant-tables", "--skip-networking", *told]

    def _accounting_configuration(self) -> str:
        return _lines(
            AuthType="auth/munge",
            AuthInfo=f"socket={self._folder / 'munge.sock'}",
            DbdHost="localhost",
            DbdPort=self._ports["slurmdbd"],
            SlurmUser=getpass.getuser(),
            LogFile=self._folder / "slurmdbd.log",
            PidFile=self._folder / "slurmdbd.pid",
            StorageType="accounting_storage/mysql",
            StorageHost="localhost",
            StorageUser="root",
            StorageLoc="slurm",
        )

    def _cluster_configuration(self) -> str:
        folder, host = self._folder, self._host
        general = _lines(
            ClusterName="tests",
            SlurmctldHost=f"{host}(127.0.0.1)",
            SlurmctldPort=self._ports["slurmctld"],
            SlurmdPort=self._ports["slurmd"],
            AuthType="auth/munge",
            AuthInfo=f"socket={folder / 'munge.sock'}",
            SlurmUser=getpass.getuser(),
            SlurmdUser="root",
            StateSaveLocation=folder / "state",
            SlurmdSpoolDir=folder / "spool",
            SlurmctldPidFile=folder / "slurmctld.pid",
            SlurmdPidFile=folder / "slurmd.pid",
            SlurmctldLogFile=folder / "slurmctld.log",
            SlurmdLogFile=folder / "slurmd.log",
            AccountingStorageType="accounting_storage/slurmdbd",
            AccountingStorageHost="localhost",
            AccountingStoragePort=self._ports["slurmdbd"],
            AccountingStoragePass=folder / "munge.sock",
            JobAcctGatherType="jobacct_gather/none",
            ProctrackType="proctrack/cgroup",
            TaskPlugin="task/cgroup",
            SelectType="select/cons_tres",
            SelectTypeParameters="CR_CPU_Memory",
            DefMemPerCPU=100,
            SchedulerParameters="sched_min_interval=0,batch_sched_delay=0,sched_interval=1",
            ReturnToService=2,
            MinJobAge=2,
            # A launch that a busy machine answers later than this is put off for two minutes.
            MessageTimeout=60,
            MpiDefault="none",
        )
        node = f"NodeName={host} NodeAddr=127.0.0.1 CPUs={os.cpu_count()} RealMemory=2000 Feature={FEATURE}\n"
        return f"{general}{node}PartitionName={PARTITION} Nodes={host} Default=YES MaxTime=INFINITE State=UP\n"


def _cgroup_configuration() -> str:
    """Limit memory by the version of cgroups that this machine has."""
    if Path("/sys/fs/cgroup/memory").is_dir():
        return _lines(CgroupPlugin="cgroup/v1", ConstrainRAMSpace="yes")
    return _lines(CgroupPlugin="cgroup/v2", IgnoreSystemd="yes", ConstrainRAMSpace="yes")


def _lines(**settings: object) -> str:
    return "".join(f"{name}={value}\n" for name, value in settings.items())
