"""The bill of materials is CycloneDX, and names what images hold in the versions that are pinned."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from tests.support.extras import canonical, installed_with

ROOT = Path(__file__).parents[2]
RELEASE = ROOT / ".venv" / "release"


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `make sbom` writes; that it checks it itself is left out, which takes ten times as long as ours."""
    path = tmp_path_factory.mktemp("dist") / "sbom.json"
    command = ["make", "--old-file=.venv/.python", "sbom", f"SBOM={path}", "SBOM_OPTIONS=--no-validate"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(path.read_text()))


def test_it_is_of_the_release_and_its_licence(bill: dict[str, Any]) -> None:
    told = subprocess.run([ROOT / "compose" / "version"], capture_output=True, text=True, check=True).stdout
    main = bill["metadata"]["component"]
    assert (main["name"], f"VERSION={main['version']}") == ("alma-restore", told.split()[0])
    assert [each["license"]["id"] for each in main["licenses"]] == ["BSD-3-Clause"]


def test_it_fits_the_schema_of_cyclonedx(bill: dict[str, Any]) -> None:
    assert bill["bomFormat"] == "CycloneDX"
    check = validator(bill["specVersion"])
    assert list(check.iter_errors(bill)) == []
    assert list(check.iter_errors(bill | {"components": [{"name": "without a type"}]}))


def validator(version: str) -> Draft7Validator:
    """Take the schema that comes with the tool."""
    (folder,) = RELEASE.glob("lib/python*/site-packages/cyclonedx/schema/_res")
    schema, *others = (folder / f"{name}.SNAPSHOT.schema.json" for name in (f"bom-{version}", "spdx", "jsf-0.82"))
    known = ((path.name, Resource.from_contents(json.loads(path.read_text()), DRAFT7)) for path in others)
    base = "http://cyclonedx.org/schema/"
    registry = Registry().with_resources((base + name, resource) for name, resource in known)
    return Draft7Validator(json.loads(schema.read_text()), registry=registry)


def test_it_names_all_that_images_hold_and_nothing_else_in_the_versions_that_are_pinned(bill: dict[str, Any]) -> None:
    words = re.findall(r"install-packages ([a-z -]+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    held = set[str]().union(*(installed_with(*extras.split()) for extras in words)) - {"alma-restore"}
    assert {"pika", "casatools", "oracledb", "opentelemetry-sdk"} <= held
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {canonical(name): version for name, _, version in (line.partition("==") for line in lines)}
    named = {canonical(each["name"]): each["version"] for each in bill["components"]}
    assert named == {name: pinned[name] for name in held}
    assert all(each["purl"] == f"pkg:pypi/{canonical(each['name'])}@{each['version']}" for each in bill["components"])
