"""A service has in its image what its extra asks for and nothing else: that must be all that it needs."""

import json
import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest

from alma_restore.registry import BUILDERS
from tests.support.extras import canonical, installed_with

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


@pytest.mark.parametrize("service", BUILDERS)
def test_a_service_needs_no_more_than_its_own_extra(service: str) -> None:
    there = installed_with("tracing", service)
    absent = [
        module
        for module, owners in packages_distributions().items()
        if there.isdisjoint(map(canonical, owners)) and module.isidentifier()
    ]
    assert {"pytest", "properdocs"} <= set(absent)
    order = json.dumps([f"services.{service.replace('-', '_')}", absent])
    done = subprocess.run([sys.executable, "-c", IMPORT, order], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
