"""Examines what the casa-runner depends on: who starts CASA, the CASAs themselves, and the scratch disk."""

import fcntl
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from services.casa_runner.job import configure, environment_in
from services.casa_runner.launchers.choice import make_launcher
from services.casa_runner.launchers.settings import CasaPlace, ContainerSettings, ProcessSettings
from services.casa_runner.settings import CasaRunnerSettings
from services.casa_runner.ways import USUAL_SCRATCH
from shared.findings import Findings
from shared.sizes import size_text

_ASK = "import casatools\nprint('CASA', casatools.version_string())\n"
_SECONDS = 180.0
_SMALL_ASDM = 10_000_000_000
_REMOTE = {"nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "ceph", "fuse.sshfs", "beegfs"}
_START = {
    "process": "install CASA, or name the Python that has it in ALMA_RESTORE_CASA_RUNNER_PYTHON",
    "container": "start the container engine, and let the runner's user use it",
    "slurm": "check that sbatch, squeue and sacct reach the controller",
    "kubernetes": "check the API's address, the service account and its role",
}


def examine_casa(settings: CasaRunnerSettings) -> Findings:
    """See whether CASA could be started now, and which ones are there."""
    findings = Findings("CASA")
    launcher = settings.launcher
    with findings.attempt("launcher", _START[launcher.kind]):
        if not make_launcher(launcher, python=settings.python).is_ready():
            findings.fail("launcher", f"{launcher.kind}: CASA cannot be started", _START[launcher.kind])
            return findings
        findings.ok("launcher", f"{launcher.kind}: CASA can be started")
    for name, place in _places(settings):
        if isinstance(launcher, ProcessSettings):
            _examine_command(findings, name, place)
        elif isinstance(launcher, ContainerSettings):
            _examine_image(findings, name, place, launcher)
    return findings


def examine_scratch(settings: CasaRunnerSettings) -> Findings:
    """See whether the scratch directory can be written and locked, and how large a block it can take."""
    findings, scratch = Findings("scratch"), settings.scratch
    with findings.attempt("directory", f"make {scratch} writable for the runner's user"):
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=scratch, prefix="doctor-") as file:
            _examine_locks(findings, Path(file.name))
        findings.ok("directory", f"{scratch} can be written")
        kind = _file_system(scratch)
        if kind in _REMOTE and settings.launcher.kind in ("process", "container"):
            findings.warn("file system", kind, "use a local disk: CASA's tables are slow and locks weak on this one")
        else:
            findings.ok("file system", kind)
        _examine_room(findings, settings, shutil.disk_usage(scratch).free)
    return findings


def _examine_locks(findings: Findings, path: Path) -> None:
    with path.open("rb") as one, path.open("rb") as other:
        fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            findings.ok("locks", "the second of two is refused")
        else:
            findings.fail("locks", "two hold one lock", "use a file system with flock: runners would share a directory")


def _examine_room(findings: Findings, settings: CasaRunnerSettings, free: int) -> None:
    factor = USUAL_SCRATCH[settings.way] if settings.disk_factor is None else settings.disk_factor
    size = max(0, int((free - settings.disk_reserve) / max(factor, 0.1)))
    found = f"{size_text(free)} free, enough for an ASDM of {size_text(size)}"
    if size == 0:
        findings.fail("room", found, "make room: no restore can begin")
    elif size < _SMALL_ASDM:
        findings.warn("room", found, "make room: larger blocks wait until there is enough")
    else:
        findings.ok("room", found)


def _places(settings: CasaRunnerSettings) -> Iterator[tuple[str, CasaPlace]]:
    """Name the CASAs that are where the settings say, not those that the version table completes."""
    usual = settings.launcher.casa
    if isinstance(settings.launcher, ProcessSettings) and "casa" not in settings.launcher.model_fields_set:
        usual = CasaPlace(command=(str(settings.python),))
    yield "usual", usual
    yield from settings.launcher.casas.items()


def _examine_command(findings: Findings, name: str, place: CasaPlace) -> None:
    """Have CASA say its version, started as for a restore."""
    what, advice = f"version of {name}", f"see what `{' '.join(place.command)}` lacks"
    with tempfile.TemporaryDirectory() as folder, findings.attempt(what, advice):
        home = Path(folder)
        script = home / "ask.py"
        script.write_text(_ASK)
        configure(home, log=home / "casa.log")
        try:
            done = subprocess.run(  # noqa: S603 - the command is a setting of the operator's own
                [*place.command, str(script)],
                env=environment_in(home),
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                cwd=home,
                check=False,
            )
        except subprocess.TimeoutExpired:
            findings.fail(what, f"no answer within {_SECONDS:.0f} s", advice)
            return
        said = [line for line in done.stdout.splitlines() if line.startswith("CASA ")]
        if done.returncode == 0 and said:
            findings.ok(what, said[-1])
        else:
            words = (done.stderr or done.stdout).strip().splitlines()
            findings.fail(what, f"exit code {done.returncode}: {words[-1] if words else 'nothing said'}", advice)
    if place.shell is not None and shutil.which(place.shell[0]) is None:
        findings.fail(f"application of {name}", f"{place.shell[0]} is not there", "unpack it, or name where it is")


def _examine_image(findings: Findings, name: str, place: CasaPlace, launcher: ContainerSettings) -> None:
    from docker import DockerClient
    from docker.errors import DockerException, ImageNotFound
    from requests import RequestException

    what = f"image of {name}"
    if place.image is None:
        findings.fail(what, "none is named", "set ALMA_RESTORE_CASA_RUNNER_LAUNCHER__CASA__IMAGE")
        return
    try:
        with closing(DockerClient(base_url=launcher.engine, timeout=round(launcher.engine_timeout))) as engine:
            findings.ok(what, f"{place.image} ({engine.images.get(place.image).short_id})")
    except ImageNotFound:
        findings.fail(what, f"the engine has no {place.image}", f"docker pull {place.image}, or build it")
    except (DockerException, RequestException) as error:
        findings.fail(what, f"{place.image}: {error}", _START["container"])


def _file_system(folder: Path) -> str:
    """Name the kind of file system that a directory is on, as the kernel lists it."""
    best, kind = 0, "unknown"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, found, *_ = line.split()
        point = point.replace("\\040", " ")
        if folder.absolute().is_relative_to(point) and len(point) >= best:
            best, kind = len(point), found
    return kind
