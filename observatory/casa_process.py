"""Run a script of ours in a CASA process of its own, with all that CASA must be told before it starts."""

import importlib.util
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from observatory.casa_scripts.layout import announced
from shared.errors import RestoreError

CONSOLE_LOG = "console.log"
_TAIL_LINES = 15
_PROJECT_ROOT = Path(__file__).resolve().parents[1]


class CasaProcessError(RestoreError):
    """A CASA process ended badly or took too long; the end of what it said is in the message."""

    code = "casa_process_failed"


def run_casa_script(
    module: str,
    order: Mapping[str, object],
    *,
    workdir: Path,
    scratch: Path,
    timeout_s: float,
    on_stage: Callable[[str], None] | None = None,
) -> None:
    """Run a module of ``observatory.casa_scripts`` with an order, and wait for its end.

    Parameters
    ----------
    module
        The module's last name.
    order
        What the module reads from its JSON file; anything that is not JSON is written as text.
    workdir
        Existing directory in which the script works.
    scratch
        Existing directory for logs and configuration, apart from the results.
    on_stage
        Called with the name of each stage as it begins.

    Raises
    ------
    CasaProcessError
        The process ended with another code than 0, by a signal, or not in time.
    """
    order_file = scratch / "order.json"
    order_file.write_text(json.dumps(dict(order), default=str))
    log = scratch / CONSOLE_LOG
    command = [sys.executable, "-m", f"observatory.casa_scripts.{module}", str(order_file.resolve())]
    with log.open("w", encoding="utf-8") as console:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
            command, cwd=workdir, env=casa_environment(scratch), stdout=subprocess.PIPE, stderr=console, text=True
        )
        code = _follow(process, timeout_s, on_stage or (lambda _: None))
    if code != 0:
        raise CasaProcessError(f"{module} in {workdir} ended with code {code}; its last lines:\n{_tail(log)}")


def _follow(process: subprocess.Popen[str], timeout_s: float, on_stage: Callable[[str], None]) -> int:
    """Pass on the stages until the process ends; kill it when its time is over."""
    watchdog = threading.Timer(timeout_s, process.kill)
    watchdog.start()
    try:
        with process:
            for line in process.stdout or ():
                stage = announced(line)
                if stage is not None:
                    on_stage(stage)
    finally:
        watchdog.cancel()
    return process.returncode


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:])


def casa_environment(scratch: Path) -> dict[str, str]:
    """Write CASA's site configuration into the scratch directory and give the environment that points to it.

    CASA dies without HOME, ignores a relative CASASITECONFIG, and was fastest with one OpenMP thread.
    """
    home = scratch.resolve()
    site_config = home / "casasiteconfig.py"
    site_config.write_text(_site_config(home))
    return {
        "CASASITECONFIG": str(site_config),
        "HOME": str(home),
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(_PROJECT_ROOT),
        "TMPDIR": str(home),
    }


def _site_config(home: Path) -> str:
    data = str(_casa_data())
    settings = {
        "measurespath": data,
        "datapath": [data],
        "measures_auto_update": False,
        "data_auto_update": False,
        "nologger": True,
        "nogui": True,
        "agg": True,
        "logfile": str(home / "casa.log"),
        "cachedir": str(home / "cache"),
    }
    return "".join(f"{name} = {value!r}\n" for name, value in settings.items())


def _casa_data() -> Path:
    """Find the measures data of the package ``casadata`` without importing it."""
    spec = importlib.util.find_spec("casadata")
    if spec is None or spec.origin is None:
        raise CasaProcessError("the package casadata is not installed: install the extra 'demo'")
    return Path(spec.origin).parent / "__data__"
