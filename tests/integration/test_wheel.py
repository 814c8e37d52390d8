"""The wheel works where it is installed without the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PACKAGES = ("alma_restore", "contracts", "observatory", "services", "shared")
# Services' read-me files are for who reads the source.
DATA = sorted(
    path.relative_to(CHECKOUT)
    for package in PACKAGES
    for path in (CHECKOUT / package).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts and path.name != "README.md"
)
VERSION = "1.2.3"
LOADING = """
import sys
from pathlib import Path

from contracts.documents import FOLDER
from observatory.by_hand import _TEMPLATES
from services.notifier.texts import _environment as mails
from services.request_desk.ledger.migrating import migrate
from services.request_desk.web.console.pages import ASSETS, asset, environment as pages
from shared.casa_catalogue import CasaCatalogueSettings, open_catalogue
from shared.pipeline_files.ppr.tasks import known_tasks, read_data

for module in [module for name, module in sys.modules.items() if name.split(".")[0] in sys.argv[2].split(",")]:
    assert Path(module.__file__).is_relative_to(sys.prefix), f"{module} is not the wheel's"
assert len(list(Path(FOLDER, "schemas").glob("*.json"))) > 20
assert {path.name for path in _TEMPLATES.iterdir()} >= {"scriptForCalibration.txt", "scriptForPI.txt"}
assert known_tasks() and read_data("restore")
assert all(asset(name) for name in ASSETS)
for environment in (mails(), pages()):
    names = environment.list_templates(extensions=["html", "j2"])
    assert len(names) > 5
    for name in names:
        environment.get_template(name)
open_catalogue(CasaCatalogueSettings())
print(migrate(f"sqlite:///{sys.argv[1]}/ledger.db").after)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment that sees what is installed here, but not the checkout."""
    source, wheels, place = (tmp_path_factory.mktemp(name) for name in ("source", "wheels", "place"))
    for package in PACKAGES:
        shutil.copytree(CHECKOUT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={wheels}", str(source)],
        check=True,
        env={**os.environ, "SETUPTOOLS_SCM_PRETEND_VERSION": VERSION},
    )
    venv.create(place, symlinks=True)
    (wheel,) = wheels.glob("*.whl")
    python = place / "bin/python"
    subprocess.run(
        [*pip, f"--python={python}", "install", "--no-deps", "--no-index", "--no-compile", wheel], check=True
    )
    # What such a file names is not searched for more of them: the checkout, which is one of those, stays out.
    own = place / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    (own / "here.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place


def run(place: Path, *command: str) -> str:
    done = subprocess.run([place / "bin" / command[0], *command[1:]], cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_every_module_and_every_file_of_data(installed: Path) -> None:
    (own,) = installed.glob("lib/python*/site-packages")
    assert [str(path) for path in DATA if not (own / path).is_file()] == []


def test_the_command_runs_from_the_wheel_alone(installed: Path) -> None:
    assert "doctor" in run(installed, "alma-restore", "--help")


def test_what_is_data_is_loaded_from_the_wheel_alone(installed: Path, tmp_path: Path) -> None:
    assert run(installed, "python", "-I", "-c", LOADING, str(tmp_path), ",".join(PACKAGES)).strip()


def test_it_knows_the_version_that_it_was_built_as(installed: Path) -> None:
    assert run(installed, "alma-restore", "--version") == f"alma-restore {VERSION}\n"
