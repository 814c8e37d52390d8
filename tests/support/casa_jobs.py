"""Small jobs for launchers: scripts of the tests' where CASA's would be, in attempts as the runner makes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.casa_runner.job import CasaFiles
from services.casa_runner.workspace import Workspace
from tests.support.casa_standin import EB

USER = "4242:4243"
"""Whom CASA runs as in a container if the tests run as root."""

_BEGIN = """
import fcntl, json, os, pathlib, signal, socket, subprocess, sys, time
job = json.loads(pathlib.Path(sys.argv[1]).read_text())
if job["parent"] and os.getppid() != job["parent"]:
    sys.exit("the runner is dead")
def say(step):
    with open(job["progress"], "a") as progress:
        progress.write(json.dumps({"step": step, "percent": 50}) + "\\n")
def tell(**found):
    draft = pathlib.Path(job["result"] + ".draft")
    draft.write_text(json.dumps(found))
    draft.rename(job["result"])
"""

HANG = "say('hanging')\nwhile True: time.sleep(0.05)\n"
EAT_MEMORY = "eaten = [bytearray(10**7) for _ in range(60)]\n"


class Jobs:
    """Scripts and attempts in a folder.

    Parameters
    ----------
    folder
        Where they go; its scratch directory has a name that a shell would trip over.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.scratch = folder / "scratch $(touch pwned); '50%j' \"&"
        self.workspace = Workspace(scratch=self.scratch, failed_quota=10**9)

    @property
    def attempts(self) -> Path:
        """Where the attempts are."""
        return self.scratch / "attempts"

    def script(self, behaviour: str) -> Path:
        """Write a script that does as told; ``job``, ``say`` and ``tell`` are there."""
        folder = self._folder / "scripts"
        folder.mkdir(exist_ok=True)
        (folder / "beside.py").write_text("WORD = 'beside'\n")
        path = folder / "script.py"
        path.write_text(_BEGIN + behaviour)
        return path

    @contextmanager
    def attempt(self) -> Iterator[CasaFiles]:
        """Make an attempt with its job; it is removed with the context."""
        with self.workspace.attempt("job") as attempt:
            yield prepared(CasaFiles(attempt, EB))


def prepared(files: CasaFiles) -> CasaFiles:
    """Write the job of an attempt."""
    files.write()
    return files
