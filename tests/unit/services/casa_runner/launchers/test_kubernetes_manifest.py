"""Jobs of Kubernetes: manifests that the cluster's own schema accepts, and what its answers mean."""

import os
from pathlib import Path
from typing import Any

import pytest

from services.casa_runner.job import CasaFiles
from services.casa_runner.launcher import CasaLostError, MemoryLimitError
from services.casa_runner.launchers.kubernetes_manifest import job_manifest, job_name, memory_of
from services.casa_runner.launchers.kubernetes_states import exit_status
from services.casa_runner.launchers.settings import CasaPlace, KubernetesSettings
from services.casa_runner.workspace import Attempt
from shared.errors import BlockFailedError
from tests.support.casa_standin import EB
from tests.support.kubernetes_schemas import VERSIONS, NotTakenError, check

ATTEMPT = "uid___A002_Xc7111c_X3979-0123456789ab"
FILES = CasaFiles(Attempt(Path("/scratch/casa/attempts") / ATTEMPT), EB)
SCRIPT = FILES.attempt.home / "scripts" / "reference.py"
PLACE = CasaPlace(image="registry.example/casa-6.7")


def manifest(**settings: object) -> dict[str, Any]:
    made = KubernetesSettings.model_validate(settings)
    return job_manifest(place=PLACE, script=SCRIPT, files=FILES, memory=2 * 10**9, settings=made)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_manifest_is_one_to_the_clusters_schema(version: str) -> None:
    check(manifest(node_selector={"casa": "el8"}, cores=0.5), version)


def test_the_schema_would_refuse_a_wrong_one() -> None:
    wrong = manifest()
    wrong["spec"]["backofLimit"] = 0
    with pytest.raises(NotTakenError, match="backofLimit"):
        check(wrong)


def test_casa_is_not_root_and_writes_to_its_attempt_only() -> None:
    pod = manifest()["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["volumeMounts"] == [
        {"name": "scratch", "mountPath": str(FILES.attempt.root), "subPath": f"casa/attempts/{ATTEMPT}"}
    ]
    assert container["resources"]["limits"] == {"cpu": "1000m", "memory": "2000000000"}


def test_a_lost_pod_is_not_started_again_by_the_cluster() -> None:
    spec = manifest()["spec"]
    assert (spec["backoffLimit"], spec["template"]["spec"]["restartPolicy"]) == (0, "Never")


def test_the_script_runs_with_its_own_environment_and_no_shell() -> None:
    [container] = manifest()["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["env", "-i", *(f"{name}={value}" for name, value in FILES.environment.items())]
    assert container["args"] == ["python3", str(SCRIPT), str(FILES.job)]
    assert os.defpath in container["command"][-1]


def test_nothing_in_a_command_is_read_as_a_variable() -> None:
    place = CasaPlace(image="casa", command=("/soft/$(HOME)/casa", "5$"))
    made = job_manifest(place=place, script=SCRIPT, files=FILES, memory=1, settings=KubernetesSettings())
    assert made["spec"]["template"]["spec"]["containers"][0]["args"][:2] == ["/soft/$$(HOME)/casa", "5$$"]


def test_the_limit_of_memory_is_read_from_a_job() -> None:
    assert memory_of(manifest()) == 2 * 10**9


def test_names_fit_labels_and_differ_where_attempts_do() -> None:
    assert job_name(ATTEMPT) == job_name(ATTEMPT)
    assert job_name(ATTEMPT) != job_name(ATTEMPT.lower())
    assert len(job_name(ATTEMPT)) < 63
    assert job_name(ATTEMPT).replace("-", "").isalnum()


def job(*conditions: tuple[str, str]) -> dict[str, Any]:
    listed = [{"type": kind, "status": "True", "reason": reason} for kind, reason in conditions]
    return {"metadata": {"name": "casa-1"}, "status": {"conditions": listed}}


def pods(**terminated: object) -> dict[str, Any]:
    state = {"terminated": terminated} if terminated else {"running": {}}
    return {"items": [{"status": {"containerStatuses": [{"name": "casa", "state": state}]}}]}


@pytest.mark.parametrize(
    ("told", "of_pods", "status"),
    [
        ({"metadata": {"name": "casa-1"}}, {"items": []}, None),
        (job(), pods(), None),
        (job(("Suspended", "")), {"items": []}, None),
        (job(("Complete", "")), pods(exitCode=0, reason="Completed"), 0),
        (job(("Failed", "BackoffLimitExceeded")), pods(exitCode=3, reason="Error"), 3),
        (job(("Failed", "BackoffLimitExceeded")), pods(exitCode=139, reason="Error"), -11),
    ],
)
def test_an_end_is_read_from_job_and_pod(told: dict[str, Any], of_pods: dict[str, Any], status: int | None) -> None:
    assert exit_status(told, of_pods, memory=1) == status


def test_memory_is_told_apart() -> None:
    with pytest.raises(MemoryLimitError):
        exit_status(job(("Failed", "BackoffLimitExceeded")), pods(exitCode=137, reason="OOMKilled"), memory=1)


def test_the_deadline_fails_the_block() -> None:
    with pytest.raises(BlockFailedError, match="deadline"):
        exit_status(job(("Failed", "DeadlineExceeded")), {"items": []}, memory=1)
    of_pod = pods(exitCode=137, reason="Error")
    of_pod["items"][0]["status"]["reason"] = "DeadlineExceeded"
    with pytest.raises(BlockFailedError, match="deadline"):
        exit_status(job(("Failed", "BackoffLimitExceeded")), of_pod, memory=1)


EVICTED = pods(exitCode=137, reason="Error")
EVICTED["items"][0]["status"]["reason"] = "Evicted"


@pytest.mark.parametrize("of_pods", [{"items": []}, EVICTED])
def test_a_lost_pod_is_tried_again(of_pods: dict[str, Any]) -> None:
    with pytest.raises(CasaLostError):
        exit_status(job(("Failed", "BackoffLimitExceeded")), of_pods, memory=1)
