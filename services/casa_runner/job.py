"""What a CASA process is told, and what it tells when it ends."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import to_json

from contracts.identifiers import ExecBlockUid
from services.casa_runner.workspace import Attempt
from shared.pipeline_files import ApplyCall

REFERENCE_SCRIPT = Path(__file__).parent / "casa" / "reference.py"
SINGLE_PASS_SCRIPT = Path(__file__).parent / "casa" / "single_pass.py"

_SITE_CONFIG_NAME = "casasiteconfig.py"
# Evaluated by the Python that runs CASA, so that its own measures data is found wherever it lies.
_SITE_CONFIG = """\
import os
try:
    import casadata
except ImportError:  # a whole application has data of its own
    pass
else:
    measurespath = os.path.join(os.path.dirname(casadata.__file__), "__data__")
    datapath = [measurespath]
measures_auto_update = False
data_auto_update = False
nologger = True
nogui = True
agg = True
logfile = {log!r}
cachedir = {cache!r}
"""


class Flags(BaseModel):
    """Which kinds of values a field has."""

    model_config = ConfigDict(frozen=True)

    flagged: bool
    good: bool


class Described(BaseModel):
    """A MeasurementSet as CASA found it when it opened it again.

    Attributes
    ----------
    damaged
        A sentence for each table that cannot be read, or has too short files: then the rest is not told.
    undefined
        Columns without a value in a row where all were read.
    flags_by_field
        Which kinds of values each field has.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    columns: tuple[str, ...]
    subtables: tuple[str, ...]
    rows_by_field: dict[str, int]
    damaged: tuple[str, ...] = ()
    undefined: tuple[str, ...] = ()
    flags_by_field: dict[str, Flags] = {}


class CasaResult(BaseModel):
    """The last word of a CASA process; what is missing did not happen.

    Attributes
    ----------
    step
        The step that it was at when it ended.
    casa_version
        The CASA that did it.
    error
        The exception that ended it, with its class.
    imported_rows_by_field
        Rows of the imported MeasurementSet.
    selected_rows_by_field
        Those of the spectral windows that are delivered.
    due_flags_by_field
        Which kinds of values what is delivered has to have, by what it was taken out of.
    output
        The MeasurementSet that it made.
    method
        The way in which it did it.
    rule
        Why that was not the way that it was told.
    """

    model_config = ConfigDict(frozen=True)

    method: str | None = None
    rule: str | None = None
    step: str = "starting"
    casa_version: str | None = None
    error: str | None = None
    imported_rows_by_field: dict[str, int] | None = None
    selected_rows_by_field: dict[str, int] | None = None
    due_flags_by_field: dict[str, Flags] = {}
    output: Described | None = None


def environment_in(home: Path) -> dict[str, str]:
    """Return the whole environment of a CASA at home there: nothing of the runner's, which may hold secrets."""
    return {
        "CASASITECONFIG": str(home / _SITE_CONFIG_NAME),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "MPLCONFIGDIR": str(home / "matplotlib"),
        "OMP_NUM_THREADS": "1",
        "PATH": os.defpath,
    }


def configure(home: Path, *, log: Path) -> None:
    """Write the configuration of a CASA at home there."""
    (home / _SITE_CONFIG_NAME).write_text(_SITE_CONFIG.format(log=str(log), cache=str(home / "cache")))


class CasaFiles:
    """The files by which the runner and a CASA process speak, in an attempt's directory."""

    def __init__(self, attempt: Attempt, eb_uid: ExecBlockUid) -> None:
        logs = attempt.logs
        self.attempt = attempt
        self.vis = f"{eb_uid.file_form}.ms"
        self.output = attempt.working / f"{self.vis}.split.cal"
        self.job = logs / "job.json"
        self.log = logs / "casa.log"
        self.printed = logs / "output.txt"
        self.shell_log = logs / "shell.log"
        self.shell_job = logs / "shell.json"
        self.progress = logs / "progress.jsonl"
        self.result = logs / "result.json"
        self.last_try = logs / "last-try"

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of the process."""
        return environment_in(self.attempt.home)

    def write(
        self,
        *,
        selected: Sequence[str] = (),
        rows_by_field: Mapping[str, int] | None = None,
        only_version: str | None = None,
        transform: Mapping[str, object] | None = None,
        spws: Sequence[int] = (),
        halves: Mapping[str, object] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        """Write CASA's configuration and the job.

        Parameters
        ----------
        selected
            Names of the fields that are delivered; empty is all.
        rows_by_field
            What a complete import has; with less the job ends at once.
        only_version
            The one CASA version that may do it; None if any may.
        transform
            More arguments of mstransform: what is taken out besides fields, and averaging.
        spws
            Spectral windows that are delivered; empty is all.
        halves
            Where a single pass cuts the ASDM in two, see `halves.cut`; None: it does not.
        more
            What the script of a way has to know besides.
        """
        configure(self.attempt.home, log=self.log)
        job = {
            "asdm": self.vis.removesuffix(".ms"),
            "vis": self.vis,
            "output": self.output.name,
            "fields": list(selected),
            "rows_by_field": dict(rows_by_field or {}),
            "only_version": only_version,
            "transform": dict(transform or {}),
            "spws": list(spws),
            "halves": halves and dict(halves),
            "progress": str(self.progress),
            "result": str(self.result),
            "shell_log": str(self.shell_log),
            "shell_job": str(self.shell_job),
            "parent": os.getpid(),
            **(more or {}),
        }
        self.progress.touch()
        self.job.write_bytes(to_json(job, indent=1, ensure_ascii=True))

    def read_result(self) -> CasaResult:
        """Read the process's last word; if it came to none, only the step that it was at."""
        try:
            return CasaResult.model_validate_json(self.result.read_bytes())
        except (FileNotFoundError, ValidationError):
            return CasaResult(step=self._last_step())

    def _last_step(self) -> str:
        steps = self.progress.read_text().splitlines() if self.progress.exists() else []
        return str(json.loads(steps[-1])["step"]) if steps else "starting"


def keywords(call: ApplyCall) -> dict[str, Any]:
    """Write a call as applycal's keywords, which want lists."""
    per_table = {name: list(getattr(call, name)) for name in ("gaintable", "gainfield", "interp", "calwt")}
    selection = {name: getattr(call, name) for name in ("field", "intent", "spw", "antenna")}
    return {**selection, **per_table, "spwmap": [list(spwmap) for spwmap in call.spwmap], **dict(call.options)}
