"""The rules of the layout: who may import whom."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("contracts", "shared", "services", "observatory", "alma_restore", "dashboards")
ALLOWED = {
    "contracts": {"contracts"},
    "shared": {"contracts", "shared"},
    "services": {"contracts", "shared"},
    "observatory": {"contracts", "shared", "observatory"},
    "alma_restore": set(PACKAGES) - {"dashboards"},
    "dashboards": {"contracts", "shared", "services", "dashboards"},
}
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_layer_may(path: Path) -> None:
    parts = path.relative_to(ROOT).parts
    own = ".".join(parts[:2]) if parts[0] == "services" else parts[0]
    for name in imported(path):
        top = name.split(".")[0]
        if top in PACKAGES:
            assert top in ALLOWED[parts[0]] or name == own or name.startswith(f"{own}."), f"{path} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_settings_modules_read_the_environment(path: Path) -> None:
    names = {"environ", "getenv"}
    reads = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.ImportFrom) and names & {alias.name for alias in node.names})
    ]
    assert not reads, f"{path}:{reads}"
