"""The version is the last tag's, however it is asked for."""

import subprocess
import tomllib
from pathlib import Path

import pytest
from setuptools_scm import get_version

ROOT = Path(__file__).parents[2]
SCHEME = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools_scm"]


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    git(tmp_path, "init")
    commit(tmp_path)
    return tmp_path


def commit(folder: Path) -> None:
    git(folder, "commit", "--allow-empty", "--message=A change")


def of_images(folder: Path) -> dict[str, str]:
    done = subprocess.run([ROOT / "compose/version", folder], capture_output=True, text=True, check=True)
    return dict(pair.split("=", 1) for pair in done.stdout.split())


def of_packages(folder: Path) -> str:
    return get_version(root=str(folder), **SCHEME)


def test_a_tagged_commit_is_that_version(history: Path) -> None:
    git(history, "tag", "v1.2.0")
    assert of_packages(history) == of_images(history)["VERSION"] == "1.2.0"


def test_what_comes_after_a_tag_says_how_much_and_which_commit(history: Path) -> None:
    git(history, "tag", "v1.2.0")
    commit(history)
    found = of_images(history)
    assert of_packages(history) == found["VERSION"] == f"1.2.0.post1.dev1+g{found['REVISION'][:9]}"


def test_without_a_tag_it_is_before_all_versions_and_says_which_commit(history: Path) -> None:
    found = of_images(history)
    assert of_packages(history) == found["VERSION"] == f"0.0.post1.dev1+g{found['REVISION'][:9]}"


def test_a_shallow_clone_has_a_version(history: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    commit(history)
    clone = tmp_path_factory.mktemp("clone")
    git(clone, "clone", "--depth=1", history.as_uri(), "shallow")
    with pytest.warns(UserWarning, match="shallow"):
        version = of_packages(clone / "shallow")
    assert version == of_images(clone / "shallow")["VERSION"]


def test_without_history_it_is_unknown(tmp_path: Path) -> None:
    assert of_packages(tmp_path) == "0.0"
    assert of_images(tmp_path) == {"VERSION": "0.0", "REVISION": "unknown", "SOURCE": "unknown"}


def test_an_address_with_a_blank_is_one_word(history: Path) -> None:
    git(history, "remote", "add", "origin", "/srv/our things/alma-restore")
    assert of_images(history)["SOURCE"] == "/srv/our%20things/alma-restore"


def test_a_label_tells_no_password(history: Path) -> None:
    git(history, "remote", "add", "origin", "https://somebody:secret@example.org/alma-restore.git")
    assert of_images(history)["SOURCE"] == "https://example.org/alma-restore.git"
