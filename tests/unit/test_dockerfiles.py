"""The images are made as a careful site would make them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from alma_restore.registry import BUILDERS
from shared.health import HealthServer

ROOT = Path(__file__).parents[2]
HADOLINT = Path(sys.executable).with_name("hadolint")


def checked(path: Path) -> subprocess.CompletedProcess[str]:
    command = [str(HADOLINT), "--config", str(ROOT / ".hadolint.yaml"), "--no-color", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_hadolint_finds_nothing() -> None:
    done = checked(ROOT / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_finds_what_is_wrong(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM debian:latest\nRUN cd /tmp && apt-get install wget\n")
    assert "DL3007" in checked(bad).stdout


def test_there_is_a_target_for_each_service_that_ends_without_rights_and_is_asked_for_its_health() -> None:
    stages = stages_of(ROOT / "Dockerfile")
    for name in (*BUILDERS, "observatory"):
        assert re.findall(r"^USER (.*)$", stages[name], re.MULTILINE)[-1] == "10001:10001", name
    for name in ("service", "casa-runner", "observatory"):
        assert "HEALTHCHECK --interval" in stages[name]


def test_each_image_gets_its_own_services_packages_alone() -> None:
    stages = stages_of(ROOT / "Dockerfile")
    asked = {name: re.findall(r"/tools/bin/install-packages (.*)$", stages[name], re.MULTILINE) for name in BUILDERS}
    assert asked == {name: [f"tracing {name}"] for name in BUILDERS}


@pytest.mark.parametrize("stage", ["service", "casa-runner"])
@pytest.mark.parametrize("is_live", [True, False])
def test_a_container_is_well_as_long_as_its_service_lives(stage: str, is_live: bool) -> None:
    text = stages_of(ROOT / "Dockerfile")[stage]
    (check,) = re.findall(r"^HEALTHCHECK .*\\\n +CMD (.*)$", text, re.MULTILINE)
    program, port, path = json.loads(check)
    assert f"ALMA_RESTORE_HTTP_PORT={port}" in text.split()
    assert f"EXPOSE {port}\n" in text
    with HealthServer(
        host="127.0.0.1", port=0, is_live=lambda: is_live, is_ready=lambda: not is_live, registry=CollectorRegistry()
    ) as server:
        command = [str(ROOT / "compose" / program), str(server.port), path]
        assert (subprocess.run(command, check=False).returncode == 0) == is_live
    gone = subprocess.run(command, capture_output=True, check=False)
    assert (gone.returncode != 0, b"refused" in gone.stderr) == (True, True)


@pytest.mark.parametrize("name", [*BUILDERS, "observatory", "casa"])
def test_each_image_says_what_it_is_after_all_that_is_installed(name: str) -> None:
    """What is told of a build would else have all that comes after it installed again."""
    stages = stages_of(ROOT / "Dockerfile")
    installed, told = stages[name].split("ARG VERSION=0.0 REVISION=unknown SOURCE=unknown\n")
    assert "RUN" in installed
    assert "RUN" not in told
    labels = dict(re.findall(r"org\.opencontainers\.image\.(\w+)=\"(.*?)\"", stages["runtime"] + told))
    assert labels == {
        "title": f"alma-restore {name}",
        "description": "Calibrated ALMA data on request",
        "licenses": "BSD-3-Clause",
        "version": "${VERSION}",
        "revision": "${REVISION}",
        "source": "${SOURCE}",
    }


def stages_of(path: Path) -> dict[str, str]:
    parts = re.split(r"^FROM \S+ AS (\S+)$", path.read_text(), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_container_of_ours_is_without_rights_on_a_read_only_root() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ours = {name: entry for name, entry in services.items() if "build" in entry}
    assert set(BUILDERS) <= set(ours)
    for name, entry in ours.items():
        assert entry["read_only"] is True, name
        assert entry["cap_drop"] == ["ALL"], name
        assert entry["security_opt"] == ["no-new-privileges:true"], name


def test_every_container_of_ours_can_be_waited_for() -> None:
    """A check that is switched off would make `make up` fail once all the rest is well."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name, entry in services.items():
        assert not entry.get("healthcheck", {}).get("disable"), name
