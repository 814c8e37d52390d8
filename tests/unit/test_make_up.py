"""``make up`` hands on to Compose what it is told, and says where everything is."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORD = """#!/bin/sh
{ echo "$@"; env | grep -E '^(SCALE|VERSION|REVISION|SOURCE)='; } > docker-was-asked
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with what ``make up`` needs of it, and a ``docker`` that writes down what it is asked."""
    folder = tmp_path / "a checkout"
    shutil.copytree(ROOT / "compose", folder / "compose")
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "bin").mkdir()
    (folder / "bin" / "docker").write_text(RECORD)
    (folder / "bin" / "docker").chmod(0o755)
    return folder


def up(folder: Path, *arguments: str) -> tuple[int, str]:
    environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder)}
    done = subprocess.run(
        ["make", "up", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def asked(folder: Path) -> list[str]:
    return (folder / "docker-was-asked").read_text().splitlines()


def test_the_demo_comes_up_with_as_many_runners_as_are_asked_for(checkout: Path) -> None:
    code, said = up(checkout, "PROFILE=demo", "SCALE=4")
    assert code == 0, said
    command, *variables = asked(checkout)
    assert command == "compose --profile demo up --build --detach --wait"
    assert "SCALE=4" in variables
    assert {line.partition("=")[0] for line in variables} == {"SCALE", "VERSION", "REVISION", "SOURCE"}
    assert "Request desk   http://localhost:8000/sign-in?key=" in said
    assert ((checkout / ".env").stat().st_mode & 0o777) == 0o600


def test_it_does_not_come_up_without_an_archive(checkout: Path) -> None:
    code, said = up(checkout)
    assert code != 0
    assert "make up PROFILE=demo" in said
    assert not (checkout / "docker-was-asked").exists()
    with (checkout / ".env").open("a") as file:
        file.write("ARCHIVE_DB_URL=oracle+oracledb://reader@archive.example.org/\nNGAS_HOSTS=ngas.example.org:7777\n")
    code, said = up(checkout)
    assert code == 0, said
    assert asked(checkout)[0] == "compose up --build --detach --wait"
    assert not [line for line in asked(checkout) if line.startswith("SCALE=")], "what .env says of it holds"
