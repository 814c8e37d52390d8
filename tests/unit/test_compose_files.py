"""What `make up` asks before it begins, the addresses that it prints, and the variant with MinIO."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import compose
from tests.support.compose import SECRETS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "compose", tmp_path / "compose")
    return tmp_path


def run(folder: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environment |= {"PATH": os.environ["PATH"]}
    command = [folder / "compose" / script]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_secrets_are_made_once_and_kept(folder: Path) -> None:
    assert run(folder, "make-env").returncode == 0
    made = (folder / ".env").read_text()
    assert {line.partition("=")[0] for line in made.splitlines()} == set(SECRETS)
    assert run(folder, "make-env").stdout == ""
    assert (folder / ".env").read_text() == made


def test_nothing_begins_where_no_archive_is_named(folder: Path) -> None:
    (folder / ".env").write_text("ARCHIVE_DB_URL=oracle+oracledb://reader@archive/ALMA\n")
    refused = run(folder, "archive-is-named")
    assert refused.returncode == 1
    assert refused.stderr.startswith("NGAS_HOSTS is not set")
    assert "make up PROFILE=demo" in refused.stderr
    assert run(folder, "archive-is-named", NGAS_HOSTS="ngas:7777").returncode == 0


def test_addresses_go_by_the_environment_then_by_the_file(folder: Path) -> None:
    (folder / ".env").write_text("DESK_PORT=8100\nGRAFANA_PORT=3100\nSIGN_IN_KEY=abc\nRABBITMQ_PASSWORD=def\n")
    said = run(folder, "addresses", GRAFANA_PORT="3200").stdout
    assert "http://localhost:8100/sign-in?key=abc" in said
    assert "http://localhost:3200   admin" in said
    assert "http://localhost:15672   alma-restore / def" in said
    assert (
        "https://desk.example.org/sign-in?key=abc"
        in run(folder, "addresses", PUBLIC_URL="https://desk.example.org").stdout
    )


def configured(*files: str, **environment: str) -> dict[str, dict[str, object]]:
    command: list[str | Path] = [Path(compose.__file__).with_name("docker-compose"), "--env-file", "/dev/null"]
    done = subprocess.run(
        [*command, *(word for file in files for word in ("--file", file)), "config", "--format", "json"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]} | dict.fromkeys(SECRETS, "secret") | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    services: dict[str, dict[str, object]] = json.loads(done.stdout)["services"]
    return services


def test_with_minio_only_the_server_is_another_one() -> None:
    usual = configured("docker-compose.yml")["objects"]
    minio = configured("docker-compose.yml", "compose/minio.yml", MINIO_IMAGE="registry.example.org/minio")["objects"]
    assert minio["image"] == "registry.example.org/minio"
    assert minio["command"] == ["server", "/data", "--address", ":8333"]
    assert minio["healthcheck"] == usual["healthcheck"] | {"test": ["CMD", "mc", "ready", "local"]}  # type: ignore[operator]  # it is a table
    for kept in ("networks", "volumes", "ports", "restart"):
        assert minio[kept] == usual[kept]


def test_users_are_sent_to_the_port_that_the_desk_has() -> None:
    environment = configured("docker-compose.yml", DESK_PORT="8100")["request-desk"]["environment"]
    assert isinstance(environment, dict)
    assert environment["ALMA_RESTORE_REQUEST_DESK_WEB_BASE_URL"] == "http://localhost:8100"
