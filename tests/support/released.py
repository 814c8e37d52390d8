"""What earlier releases say and read; ``python -m tests.support.released 1.2.0`` keeps today's contracts as one."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.documents import FOLDER
from contracts.messages import known_types

GOLDEN = Path(__file__).parents[1] / "golden"
RELEASES = GOLDEN / "releases"
_WORDS_FOR_PEOPLE = {"title", "description", "examples"}
_READ = """
import json, sys
sys.path.insert(0, sys.argv[1])
from contracts.envelope import Event, UndecodableEventError, __file__ as place
assert place.startswith(sys.argv[1]), place
faults = []
for body in json.load(sys.stdin):
    try:
        Event.decode(body.encode())
    except UndecodableEventError as error:
        faults.append(str(error))
    else:
        faults.append("")
print(json.dumps(faults))
"""


@dataclass(frozen=True)
class Release:
    """The contracts of a release.

    Attributes
    ----------
    messages
        An event of each type, as it writes it.
    schemas
        What it reads of each type; members that it does not know, it leaves alone.
    models
        The modules of its package ``contracts``, by their paths in it.
    """

    version: str
    messages: Mapping[str, Any]
    schemas: Mapping[str, Any]
    models: Mapping[str, str]


def releases() -> list[Release]:
    """Read all that are kept."""
    paths = sorted(RELEASES.glob("*.json"))
    return [Release(version=path.stem, **json.loads(path.read_text())) for path in paths]


def keep(version: str) -> Path:
    """Keep today's contracts as those of a release; what is kept is never written again."""
    names = sorted(known_types())
    kept = {
        "messages": {name: json.loads((GOLDEN / "messages" / f"{name}.json").read_text()) for name in names},
        "schemas": {name: _rules(json.loads((FOLDER / "schemas" / f"{name}.json").read_text())) for name in names},
        "models": {str(path.relative_to(FOLDER)): path.read_text() for path in sorted(FOLDER.rglob("*.py"))},
    }
    path = RELEASES / f"{version}.json"
    path.parent.mkdir(exist_ok=True)
    with path.open("x") as file:
        lines = (f'"{part}": {{\n' + ",\n".join(_lines(members)) + "\n}" for part, members in kept.items())
        file.write("{\n" + ",\n".join(lines) + "\n}\n")
    return path


def read_by(release: Release, bodies: Sequence[str], folder: Path) -> list[str]:
    """Have a release's own models read events.

    Parameters
    ----------
    bodies
        The events, encoded.
    folder
        Where its modules are laid out.

    Returns
    -------
    list of str
        Why each was not understood; empty where it was.
    """
    for name, source in release.models.items():
        path = folder / FOLDER.name / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    command = [sys.executable, "-I", "-c", _READ, str(folder)]
    done = subprocess.run(command, input=json.dumps(list(bodies)), capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout))


def _lines(members: Mapping[str, Any]) -> list[str]:
    return [f"{json.dumps(name)}: {json.dumps(value, separators=(',', ':'))}" for name, value in members.items()]


def _rules(schema: Any, *, names: bool = False) -> Any:
    """Leave out what only people read; where keys are names of members, they all count."""
    if isinstance(schema, list):
        return [_rules(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _rules(value, names=key in ("properties", "$defs") and not names)
        for key, value in schema.items()
        if names or key not in _WORDS_FOR_PEOPLE
    }


if __name__ == "__main__":
    print(keep(sys.argv[1]))
