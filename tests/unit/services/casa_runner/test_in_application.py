"""What runs inside any CASA is written in what Python 2 and Python 3 have in common."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from services.casa_runner import casa
from tests.support.standin import make_shell

DRIVER = Path(casa.__file__).parent / "in_application.py"
# Statements and expressions that Python 2 does not have.
NEWER = (
    *(ast.AnnAssign, ast.AsyncFunctionDef, ast.Await, ast.JoinedStr, ast.Match, ast.NamedExpr, ast.Nonlocal),
    *(ast.Starred, ast.YieldFrom),
)
MODULES = {"importlib", "json", "os", "re", "sys", "traceback"}


@pytest.fixture(scope="module")
def nodes() -> list[ast.AST]:
    return list(ast.walk(ast.parse(DRIVER.read_text())))


def test_there_is_nothing_in_it_that_only_python_3_reads(nodes: list[ast.AST]) -> None:
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    assert [node for node in nodes if isinstance(node, NEWER)] == []
    assert [node.name for node in functions if node.returns or node.args.kwonlyargs or node.args.posonlyargs] == []
    assert [node.name for node in functions for each in node.args.args if each.annotation] == []
    assert [node for node in nodes if isinstance(node, ast.Raise) and node.cause] == []
    assert DRIVER.read_text().isascii()


def test_it_imports_only_what_every_python_has(nodes: list[ast.AST]) -> None:
    assert [node for node in nodes if isinstance(node, ast.ImportFrom)] == []
    assert {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names} == MODULES


@pytest.mark.parametrize(
    ("here", "wanted", "fits"),
    [
        ("6.6.6-17", "6.6.6-17", True),
        ("6.6.6.17", "6.6.6-17", True),
        ("6.6.6-18", "6.6.6-17", False),
        ("4.7.2-REL (r38335)", "4.7.2", True),
        ("5.1.1", "5.1.1-5", True),
        ("4.1.0", "4.1", True),
        ("4.10.0", "4.1", False),
        ("4.7.2", "4.7.0", False),
        ("6", "6.6.6", False),
    ],
)
def test_a_version_is_compared_as_far_as_both_are_told(tmp_path: Path, here: str, wanted: str, fits: bool) -> None:
    """Given a CASA that says its version, when a script is to run in it, then it runs or the driver says why not."""
    (tmp_path / "casatools.py").write_text(f"def version_string():\n    return {here!r}\n")
    (tmp_path / "scriptForPI.py").write_text("open('ran', 'w').close()\n")
    order = {"ppr": "", "script": "scriptForPI.py", "folder": str(tmp_path), "version": wanted, "log": "x.log"}
    result = tmp_path / "result.json"
    (tmp_path / "job.json").write_text(json.dumps(order | {"result": str(result)}))

    # As an application does it, in a scope that is no module of its own.
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); exec(open({str(DRIVER)!r}).read(), globals())"
    status = subprocess.run([sys.executable, "-c", program, str(tmp_path / "job.json")], check=False).returncode

    told = json.loads(result.read_text())
    assert told["version"] == here
    assert (status == 0, (tmp_path / "ran").exists(), "error" in told) == (fits, fits, not fits)


def test_the_stand_in_of_an_application_takes_options_before_its_file(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import sys\nprint(sys.argv[-1], callable(importasdm), 'casalog' in globals())\n")

    shell = make_shell(tmp_path / "application")

    told = subprocess.run([*shell, "-c", program, "last"], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["last", "True", "True"]
