"""A stand-in for CASA that behaves as told, and an execution block of a few bytes for it."""

import io
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid, MousUid
from services.casa_runner.job import CasaFiles
from services.casa_runner.launcher import NO_NEEDS, Needs, nobody
from services.casa_runner.launchers.process import CasaProcess, ProcessLauncher
from services.casa_runner.verify import COLUMNS, SUBTABLES
from shared.objects import ObjectStore
from tests.support.casa_orders import order_restore

EB = ExecBlockUid("uid://A002/Xc7111c/X3979")
MOUS = MousUid("uid://A001/X1284/X265f")
FIELDS = ("J0510+1800", "HLX_Target")
ROWS_PER_FIELD = 28 * 5
TABLE = "x.ms.bcal.tbl"

BEGIN = """
import json, os, signal, sys, time, pathlib
job = json.loads(pathlib.Path(sys.argv[1]).read_text())
fields = job["fields"] or list(job["rows_by_field"])
progress = open(job["progress"], "a")
def say(step, percent):
    progress.write(json.dumps({"step": step, "percent": percent}) + "\\n")
    progress.flush()
say("importasdm", 10)
"""
END = f"""
for folder in ("", "FIELD"):
    path = pathlib.Path(job["output"], folder)
    path.mkdir()
    for name in ("table.dat", "table.info", "table.lock"):
        (path / name).write_bytes((job["asdm"] + name).encode())
rows = {{name: job["rows_by_field"][name] for name in fields}}
output = {{"rows": sum(rows.values()), "columns": {sorted(COLUMNS)}, "subtables": {sorted(SUBTABLES)},
           "rows_by_field": rows}}
result = {{"step": "verify", "method": "single pass" if job["library"] else "reference", "casa_version": "6.7.0-31",
           "imported_rows_by_field": job["rows_by_field"], "selected_rows_by_field": job["rows_by_field"],
           "output": output}}
pathlib.Path(job["result"]).write_text(json.dumps(result))
"""


LARGE_OUTPUT = (
    "import atexit; atexit.register(lambda: open(job['output'] + '/table.f1', 'wb').write(bytes(3 * 2**20)))\n"
)
"""Has the stand-in leave an output of some megabytes."""


class StandInLauncher:
    """Starts a script of the test's where CASA would be started, as a real process.

    Parameters
    ----------
    folder
        Where the script goes.
    behaviour
        Python code that runs between the first word of progress and the result; ``job`` and ``say`` are there.
    """

    def __init__(self, folder: Path, behaviour: str = "") -> None:
        self._script = folder / "stand_in.py"
        self._script.write_text(BEGIN + behaviour + END)
        self._processes = ProcessLauncher(command=[sys.executable])
        self.started: list[CasaProcess] = []
        self.needs: list[Needs] = []
        self.memory: int | None = None

    def start(self, script: Path, files: CasaFiles, needs: Needs = NO_NEEDS) -> CasaProcess:
        """Start the stand-in."""
        self.needs.append(needs)
        limited = replace(needs, memory=needs.memory or self.memory)
        self.started.append(self._processes.start(self._script, files, limited))
        return self.started[-1]

    def take_up(self, files: CasaFiles) -> None:
        """Nothing outlives a runner."""
        return

    def end_orphans(self, attempts: Path, *, spare: Callable[[Path], bool] = nobody) -> frozenset[Path]:
        """Nothing is left of a dead runner's."""
        return self._processes.end_orphans(attempts, spare=spare)

    def cores(self) -> int:
        """One."""
        return 1

    def is_ready(self) -> bool:
        """Whether it could be started."""
        return self._processes.is_ready()


def order_tiny_restore(objects: ObjectStore, folder: Path, **changes: object) -> Event:
    """Order the restore of an execution block that consists of what the runner looks at, and no more."""
    asdm, products = folder / EB.file_form, folder / "products"
    if not asdm.exists():
        asdm.mkdir()
        products.mkdir()
        write_tiny_asdm(asdm)
        _write_products(products)
    given = {"mous_uid": MOUS, "eb_uid": EB, "asdm": asdm, "products": sorted(products.iterdir())}
    return order_restore(objects, **(given | changes))  # type: ignore[arg-type]  # a table of keywords


def write_tiny_asdm(folder: Path, *, binary: str | None = None) -> None:
    """Write the tables that the runner looks at; ``binary`` is the UID of the binary data that Main names."""
    data = f'<dataUID><EntityRef entityId="{binary}"/></dataUID>' if binary else ""

    def write(name: str, *rows: str) -> None:
        body = "".join(f"<row>{row}</row>" for row in rows)
        (folder / f"{name}.xml").write_text(f"<{name}Table>{body}</{name}Table>")

    write("Field", *(f"<fieldId>{number}</fieldId><fieldName>{name}</fieldName>" for number, name in enumerate(FIELDS)))
    write(
        "ConfigDescription",
        "<configDescriptionId>0</configDescriptionId><correlationMode>CROSS_ONLY</correlationMode>"
        "<numDataDescription>1</numDataDescription><dataDescriptionId> 1 1 DataDescription_0 </dataDescriptionId>",
    )
    write(
        "DataDescription",
        "<dataDescriptionId>DataDescription_0</dataDescriptionId><spectralWindowId>SpectralWindow_0</spectralWindowId>",
    )
    intents = ("CALIBRATE_PHASE", "OBSERVE_TARGET")
    write(
        "Scan",
        *(
            f"<scanNumber>{scan}</scanNumber><scanIntent> 1 1 {intent}</scanIntent>"
            for scan, intent in enumerate(intents)
        ),
    )
    write("Antenna", *(f"<name>DA{number}</name>" for number in range(41, 49)))
    write(
        "Main",
        *(
            f"<time>5045097615000000512</time><numAntenna>8</numAntenna><numIntegration>5</numIntegration>"
            f"<configDescriptionId>0</configDescriptionId><fieldId>{number}</fieldId><scanNumber>{number}</scanNumber>{data}"
            for number in range(len(FIELDS))
        ),
    )


def _write_products(folder: Path) -> None:
    mous, vis = MOUS.file_form, f"{EB.file_form}.ms"
    (folder / f"member.{mous}.hifa_calimage.pipeline_manifest.xml").write_text(
        f'<piperesults name="{mous}"><ous name="{mous}"><casaversion name="6.7.0.31"/><session name="session_1">'
        f'<caltables name="{mous}.session_1.caltables.tgz"/><asdm name="{vis}">'
        f'<finalflags name="{vis}.flagversions.tgz"/><applycmds name="{vis}.calapply.txt"/>'
        "</asdm></session></ous></piperesults>"
    )
    calls = (
        f"applycal(vis='{vis}', field='{field}', intent='', spw='', antenna='', gaintable=['{TABLE}'], "
        "gainfield=[''], spwmap=[[]], interp=['linear'], calwt=[True])"
        for field in FIELDS
    )
    (folder / f"{vis}.calapply.txt").write_text("\n".join([f"# Apply file for {vis}", *calls]))
    write_tgz(folder / f"member.{mous}.session_1.caltables.tgz", f"{TABLE}/table.dat")
    write_tgz(folder / f"{vis}.flagversions.tgz", f"{vis}.flagversions/flags.Pipeline_Final/table.dat")


def write_tgz(path: Path, *members: str) -> None:
    """Write an archive of files with one byte each."""
    with tarfile.open(path, "w:gz") as tar:
        for name in members:
            info = tarfile.TarInfo(name)
            info.size = 1
            tar.addfile(info, io.BytesIO(b"x"))
