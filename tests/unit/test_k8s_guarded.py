"""No runner is evicted, every pod reaches what its settings name and nothing else, and versions stand once."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.kustomized import K8S, Document, built, built_with_jobs, templates, variables_of
from tests.support.reaching import (
    ANYWHERE,
    PAGE,
    Reached,
    granted,
    missing,
    named,
    read_by,
    suggested,
    told,
    without_tls,
)

OVERLAYS = {"production": "overlays/production", "small": "overlays/small"}


@pytest.fixture(scope="module", params=["production", "small", "jobs"])
def site(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def documents(site: str, tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    if site in OVERLAYS:
        return built(K8S / OVERLAYS[site])
    return built_with_jobs(tmp_path_factory.mktemp("k8s"))


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    expressions = selector.get("matchExpressions", [])
    assert {each["operator"] for each in expressions} <= {"In"}
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in expressions
    )


def of_kind(documents: list[Document], kind: str) -> list[Document]:
    return [document["spec"] for document in documents if document["kind"] == kind]


def role_of(peer: Document) -> str:
    """Say whose namespaces a peer's are."""
    (role,) = peer["namespaceSelector"]["matchLabels"].values()
    return str(role)


def reached(policies: list[Document], labels: dict[str, str]) -> Reached:
    """Tell to which ports of whom the policies let a pod speak."""
    return {
        (f"{port['port']}-{port['endPort']}" if "endPort" in port else str(port["port"]), role)
        for policy in policies
        if selects(policy["podSelector"], labels)
        for rule in policy.get("egress", [])
        for port in rule["ports"]
        for role in (map(role_of, rule["to"]) if "to" in rule else [ANYWHERE])
    }


def test_every_service_has_one_budget_and_no_runner_that_works_may_be_evicted(
    site: str, documents: list[Document]
) -> None:
    budgets = of_kind(documents, "PodDisruptionBudget")
    if site == "small":
        assert budgets == []  # its one node has to be drained some time
        return
    for owner, template in templates(documents):
        labels = template["metadata"]["labels"]
        found = [budget for budget in budgets if selects(budget["selector"], labels)]
        if owner["kind"] in ("Deployment", "ScaledJob"):
            assert len(found) == 1, labels
        if labels["app.kubernetes.io/name"] == "casa-runner":
            # A Job has no scale: Kubernetes takes for its pods only a whole number of those that stay.
            wanted = {"maxUnavailable": 0} if owner["kind"] == "Deployment" else {"minAvailable": 1_000_000}
            assert {name: value for name, value in found[0].items() if name != "selector"} == wanted


def test_jobs_of_casa_are_not_evicted_either(tmp_path: Path) -> None:
    labels = {"app.kubernetes.io/name": "casa-job"}
    budgets = of_kind(built_with_jobs(tmp_path), "PodDisruptionBudget")
    assert [each["minAvailable"] for each in budgets if selects(each["selector"], labels)] == [1_000_000]


def test_every_pod_reaches_what_its_service_needs_and_no_more(site: str, documents: list[Document]) -> None:
    policies = of_kind(documents, "NetworkPolicy")
    assert {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    } in policies  # else the other ones would bar nothing
    for _, template in templates(documents):
        labels = template["metadata"]["labels"]
        name = labels["app.kubernetes.io/name"]
        assert reached(policies, labels) == granted(name, jobs=site == "jobs"), name


def test_every_pod_reaches_whom_its_settings_name_with_tls_and_without() -> None:
    documents = built(K8S / OVERLAYS["production"])
    policies = of_kind(documents, "NetworkPolicy")
    everybody = named(without_tls()) | named(suggested())
    assert {role for _, role in everybody} == {"broker", "objects", "traces"}
    oracle = told(PAGE.parent / "how-to/use-oracle.md", r"the network policy lets (\d+) and (\d+) out")
    for _, template in templates(documents):
        labels = template["metadata"]["labels"]
        name = labels["app.kubernetes.io/name"]
        (container,) = template["spec"]["containers"]
        shared, own = variables_of(container, documents)
        needed = everybody | named(read_by(name, shared) | own)
        if "ALMA_RESTORE_ARCHIVE_DB_URL" in own:
            needed |= oracle
        assert missing(needed, reached(policies, labels)) == set(), name


def test_the_document_names_every_label_by_which_policies_choose_others() -> None:
    policies = (K8S / "base/network-policies.yaml").read_text()
    table = PAGE.read_text()
    chosen, told = (set(re.findall(r"alma-restore/role: ([a-z]+)", each)) for each in (policies, table))
    assert chosen == told


def test_prometheus_reaches_every_pod_that_serves_and_the_ingress_only_the_desk(documents: list[Document]) -> None:
    policies = of_kind(documents, "NetworkPolicy")
    for _, template in templates(documents):
        (container,) = template["spec"]["containers"]
        allowed = {
            (role_of(peer), port["port"])
            for policy in policies
            if selects(policy["podSelector"], template["metadata"]["labels"])
            for rule in policy.get("ingress", [])
            for peer in rule["from"]
            for port in rule["ports"]
        }
        served = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        web = {("ingress", served.pop("http", served.pop("web", None)))} if len(served) > 1 else set()
        assert allowed == {("monitoring", served.get("health", 8080)), *web}, container["name"]


def test_one_command_names_another_version_of_every_image(tmp_path: Path) -> None:
    shutil.copytree(K8S, tmp_path / "k8s")
    subprocess.run([tmp_path / "k8s/set-version", "1.10"], check=True)
    for name in ("overlays/production", "overlays/small"):
        for _, template in templates(built(tmp_path / "k8s" / name)):
            for container in template["spec"]["containers"]:
                assert re.fullmatch(r"alma-restore/[a-z-]+:1\.10", container["image"])


@pytest.mark.parametrize("version", ["", "1 2", "1.2+c0ffee"])
def test_what_is_no_tag_is_refused_and_changes_nothing(version: str, tmp_path: Path) -> None:
    shutil.copytree(K8S, tmp_path / "k8s")
    done = subprocess.run([tmp_path / "k8s/set-version", version], capture_output=True, text=True, check=False)
    assert (done.returncode, "usage" in done.stderr) == (2, True)
    place = Path("components/version/kustomization.yaml")
    assert (tmp_path / "k8s" / place).read_text() == (K8S / place).read_text()


def test_no_other_file_names_a_version_of_ours() -> None:
    for path in sorted(K8S.rglob("*.yaml")):
        if path.parent.name != "version":
            assert not re.search(r"alma-restore/[a-z-]+:\d|newTag", path.read_text()), path
