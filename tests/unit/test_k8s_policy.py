"""A policy checker finds nothing in k8s/ but what k8s/policy.yaml gives a reason for."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.kustomized import K8S, Document, built, built_with_jobs

CHECKOV = Path(sys.prefix, "policy/bin/python")
SCRIPT = Path(__file__).parents[1] / "support/policy.py"
CARELESS = """
apiVersion: v1
kind: Pod
metadata: {name: careless, namespace: site}
spec:
  hostNetwork: true
  containers: [{name: main, image: "site/careless:1", securityContext: {privileged: true}}]
"""


def as_job(document: Document) -> Document:
    """Show a ScaledJob, which the checker does not know, as the Job that it makes."""
    if document["kind"] != "ScaledJob":
        return document
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"namespace": "alma-restore", **document["metadata"]},
        "spec": document["spec"]["jobTargetRef"],
    }


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Objects by check and what it looks for."""
    root = tmp_path_factory.mktemp("manifests")
    sites = {
        "small": built(K8S / "overlays/small"),
        "production": built(K8S / "overlays/production"),
        "jobs": built_with_jobs(tmp_path_factory.mktemp("k8s")),
        "careless": [yaml.safe_load(CARELESS)],
    }
    for name, documents in sites.items():
        (root / f"{name}.yaml").write_text(yaml.safe_dump_all(map(as_job, documents)))
    done = subprocess.run([CHECKOV, SCRIPT, root], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    by_check: dict[str, set[str]] = {}
    for entry in map(json.loads, done.stdout.splitlines()):
        by_check.setdefault(f"{entry['check']} {entry['what']}", set()).add(entry["where"])
    return by_check


def waived() -> dict[str, str]:
    """Reasons by check."""
    lines = (K8S / "policy.yaml").read_text().splitlines()
    entries = [line.strip(" -").partition("#") for line in lines if line.startswith("  - ")]
    return {check.strip(): reason.strip() for check, _, reason in entries}


def test_nothing_is_found_that_has_no_reason(found: dict[str, set[str]]) -> None:
    ours = {check: where - {"Pod.site.careless"} for check, where in found.items()}
    assert {check: where for check, where in ours.items() if where and check.split()[0] not in waived()} == {}


def test_every_reason_is_given_and_still_needed(found: dict[str, set[str]]) -> None:
    assert set(waived()) == set(yaml.safe_load((K8S / "policy.yaml").read_text())["skip-check"])
    assert all(waived().values())
    ours = {check.split()[0] for check, where in found.items() if where - {"Pod.site.careless"}}
    assert set(waived()) <= ours


def test_a_careless_pod_is_found(found: dict[str, set[str]]) -> None:
    checks = {check.split()[0] for check, where in found.items() if "Pod.site.careless" in where}
    assert {"CKV_K8S_16", "CKV_K8S_19"} <= checks  # privileged, in the node's network
