"""A Python that works some seconds where CASA would work hours, ends with its runner, and crashes where it is told."""

import sys
from collections.abc import Collection
from pathlib import Path

from tests.support.casa_standin import BEGIN, END

_SHEBANG = f"""#!{sys.executable}
import ctypes, random, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
del sys.argv[1]
"""
_BEHAVIOUR = """
if os.getppid() != job["parent"]:
    sys.exit(1)
deadline = time.monotonic() + random.uniform(*SECONDS)
for percent, step in enumerate(("flags", "applycal", "split"), start=1):
    time.sleep(max(0.0, (deadline - time.monotonic()) / (4 - percent)))
    say(step, 25 * percent)
if job["asdm"] in CRASHING:
    os.kill(os.getpid(), signal.SIGSEGV)
"""


def write_standin(path: Path, *, seconds: tuple[float, float], crashing: Collection[str] = ()) -> Path:
    """Write the stand-in as an executable, to be named as the casa-runner's Python.

    Parameters
    ----------
    path
        Where it goes.
    seconds
        How long it works, at least and at most.
    crashing
        Execution blocks, in file form, at whose end it crashes.
    """
    behaviour = _BEHAVIOUR.replace("SECONDS", repr(seconds), 1).replace("CRASHING", repr(sorted(crashing)), 1)
    path.write_text(_SHEBANG + BEGIN + behaviour + END)
    path.chmod(0o755)
    return path
