"""A service has in its image what its extra asks for and nothing else: that must be all that it needs."""

import json
import re
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions

import pytest
from packaging.requirements import Requirement

from alma_restore.registry import BUILDERS

# Our own code; what runs inside CASA, and what alembic runs, is loaded by them.
IMPORT = """
import importlib, json, pkgutil, sys
package, absent = json.loads(sys.argv[1])

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
    if not module.name.startswith(("services.casa_runner.casa.", "services.request_desk.ledger.migrations")):
        importlib.import_module(module.name)
if "shared.archive_db" in sys.modules:
    from shared.archive_db import ArchiveDatabase, ArchiveDbSettings
    url = "oracle+oracledb://reader:secret@127.0.0.1:9/?service_name=ALMA"
    ArchiveDatabase(settings=ArchiveDbSettings.model_validate({"url": url})).close()
"""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_with(*extras: str) -> set[str]:
    """Name all distributions that come with extras of ours."""
    found, todo = set[str](), [("alma-restore", extra) for extra in ("", *extras)]
    seen = set(todo)
    while todo:
        name, extra = todo.pop()
        found.add(name)
        for text in distribution(name).requires or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                wanted = {(canonical(needed.name), more) for more in ("", *needed.extras)} - seen
                seen |= wanted
                todo.extend(wanted)
    return found


@pytest.mark.parametrize("service", BUILDERS)
def test_a_service_needs_no_more_than_its_own_extra(service: str) -> None:
    there = installed_with("tracing", service)
    absent = [
        module
        for module, owners in packages_distributions().items()
        if there.isdisjoint(map(canonical, owners)) and module.isidentifier()
    ]
    assert {"pytest", "mkdocs"} <= set(absent)
    order = json.dumps([f"services.{service.replace('-', '_')}", absent])
    done = subprocess.run([sys.executable, "-c", IMPORT, order], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
