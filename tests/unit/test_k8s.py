"""What is in k8s/ is what Kubernetes, KEDA and Prometheus understand, and what a careful site would run."""

import json
import re
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from cloudcoil.models.keda import v1alpha1 as keda
from cloudcoil.models.prometheus_operator import v1 as prometheus_operator
from pydantic import BaseModel, ByteSize, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings

from alma_restore.registry import BUILDERS
from services.casa_runner.launchers.settings import ProcessSettings
from services.casa_runner.settings import CasaRunnerSettings
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names
from shared.settings import RuntimeSettings
from tests.support.kubernetes_schemas import VERSIONS, check
from tests.support.kustomized import K8S, Document, built, built_with_jobs, examples_of_secrets, templates, variables_of
from tests.support.operators import KedaOnRabbit, RabbitmqCluster, Seaweed

CUSTOM: dict[str, type[BaseModel]] = {
    "ScaledJob": keda.ScaledJob,
    "TriggerAuthentication": keda.TriggerAuthentication,
    "PodMonitor": prometheus_operator.PodMonitor,
    "PrometheusRule": prometheus_operator.PrometheusRule,
    "RabbitmqCluster": RabbitmqCluster,
    "Seaweed": Seaweed,
}

OF_A_RUNNER = 2**30
"""Bytes that a runner is to have beside its CASA."""


@pytest.fixture(scope="module", params=["base", "overlays/small", "overlays/production", "jobs"])
def documents(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    if request.param != "jobs":
        return built(K8S / request.param)
    return built_with_jobs(tmp_path_factory.mktemp("k8s"))


def pods(documents: list[Document]) -> Iterator[tuple[str, Document]]:
    """Find every pod that is described: its owner's name and its specification."""
    for owner, template in templates(documents):
        yield owner["metadata"]["name"], template["spec"]


def differences(said: object, understood: object, where: str = "") -> Iterator[str]:
    """Find what a model did not take over: a name that it does not know, a value that it read otherwise."""
    if isinstance(said, dict) and isinstance(understood, dict):
        for name, value in said.items():
            if name in understood:
                yield from differences(value, understood[name], f"{where}.{name}")
            else:
                yield f"{where}.{name}"
    elif isinstance(said, list) and isinstance(understood, list) and len(said) == len(understood):
        for number, (one, other) in enumerate(zip(said, understood, strict=True)):
            yield from differences(one, other, f"{where}[{number}]")
    elif str(said) != str(understood):
        yield f"{where}: {said} was read as {understood}"


def faults_of(document: Document) -> list[str]:
    model = CUSTOM[document["kind"]]
    try:
        understood = model.model_validate(document)
        if document["kind"] == "ScaledJob":
            KedaOnRabbit.model_validate(document["spec"])
    except ValidationError as error:
        return [str(error)]
    return list(differences(document, understood.model_dump(by_alias=True, exclude_unset=True, mode="json")))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_fits_the_schema_of_kubernetes(documents: list[Document], version: str) -> None:
    for document in documents:
        if document["kind"] not in CUSTOM:
            check(document, version)


@pytest.mark.parametrize("page", ["deploying.md", "launchers.md"])
def test_the_documents_name_the_versions_that_are_tried(page: str) -> None:
    said = re.findall(r"the schemas of Kubernetes (\S+) to (\d+\.\d+)", (K8S.parent / "docs" / page).read_text())
    assert said == [(VERSIONS[0], VERSIONS[-1])]


def test_custom_objects_are_read_as_they_are_written(documents: list[Document]) -> None:
    for document in documents:
        if document["kind"] in CUSTOM:
            assert faults_of(document) == []


@pytest.mark.parametrize("name", ["broker", "objects"])
def test_what_others_operators_get_is_read_as_it_is_written(name: str) -> None:
    for document in yaml.safe_load_all((K8S / f"examples/{name}.yaml").read_text()):
        if document["kind"] in CUSTOM:
            assert faults_of(document) == []
        else:
            check(document)


@pytest.mark.parametrize(
    ("file", "kind", "old", "new"),
    [
        ("components/keda/casa-runner.yaml", "ScaledJob", "pollingInterval:", "pollingIntervall:"),
        ("components/keda/casa-runner.yaml", "ScaledJob", "maxReplicaCount:", "maxReplicas:"),
        ("components/keda/casa-runner.yaml", "ScaledJob", "triggers:", "trigger:"),
        ("components/keda/casa-runner.yaml", "ScaledJob", "protocol:", "protocl:"),
        ("components/keda/casa-runner.yaml", "ScaledJob", "protocol: http", "protocol: amqp"),
        ("components/keda/casa-runner.yaml", "ScaledJob", "queueName:", "queue:"),
        ("components/keda/casa-runner.yaml", "ScaledJob", "mode: QueueLength", "mode: QueueLenght"),
        ("components/keda/casa-runner.yaml", "ScaledJob", "type: rabbitmq", "type: rabbitmqq"),
        ("components/keda/casa-runner.yaml", "ScaledJob", "strategy: gradual", "strategy: gradually"),
        ("components/keda/casa-runner.yaml", "ScaledJob", "strategy: default", "strategy: defualt"),
        ("components/keda/casa-runner.yaml", "TriggerAuthentication", "secretTargetRef:", "secretTarget:"),
        ("examples/broker.yaml", "RabbitmqCluster", "additionalPlugins:", "additionalPlugin:"),
        ("examples/broker.yaml", "RabbitmqCluster", "disableNonTLSListeners:", "disableNonTlsListeners:"),
        ("examples/broker.yaml", "RabbitmqCluster", "storage: 50Gi", "storage: 50GB"),
        ("examples/broker.yaml", "RabbitmqCluster", "replicas: 3", "replicas: 2"),
        ("examples/objects.yaml", "Seaweed", "configSecret:", "secret:"),
        ("examples/objects.yaml", "Seaweed", "storage: 2Ti", "storage: 2TB"),
        ("examples/objects.yaml", "Seaweed", "volumeSizeLimitMB:", "volumeSizeLimit:"),
    ],
)
def test_a_slip_of_the_pen_in_a_custom_object_is_found(file: str, kind: str, old: str, new: str) -> None:
    text = (K8S / file).read_text()
    assert old in text
    slipped = next(d for d in yaml.safe_load_all(text.replace(old, new)) if d["kind"] == kind)
    assert faults_of(slipped)


def test_a_job_begins_for_each_event_in_the_runners_queue_and_takes_one() -> None:
    documents = yaml.safe_load_all((K8S / "components/keda/casa-runner.yaml").read_text())
    spec = next(d["spec"] for d in documents if d["kind"] == "ScaledJob")
    assert spec["triggers"][0]["metadata"] == {
        "protocol": "http",
        "queueName": Names(RabbitSettings.model_fields["prefix"].default).queue("casa-runner"),
        "mode": "QueueLength",
        "value": "1",
    }
    job = spec["jobTargetRef"]
    assert (job["backoffLimit"], job["template"]["spec"]["restartPolicy"]) == (0, "Never")
    assert {"name": "ALMA_RESTORE_END_AFTER_EVENTS", "value": "1"} in job["template"]["spec"]["containers"][0]["env"]


def test_the_example_of_a_store_knows_the_keys_that_services_have() -> None:
    documents = list(yaml.safe_load_all((K8S / "examples/objects.yaml").read_text()))
    store, secret = documents
    reference = store["spec"]["filer"]["s3"]["configSecret"]
    assert reference["name"] == secret["metadata"]["name"]
    (identity,) = json.loads(secret["stringData"][reference["key"]])["identities"]
    ours = examples_of_secrets()["alma-restore-store"]
    assert identity["credentials"] == [
        {"accessKey": ours["ALMA_RESTORE_STORE__ACCESS_KEY"], "secretKey": ours["ALMA_RESTORE_STORE__SECRET_KEY"]}
    ]


def test_all_services_run(documents: list[Document]) -> None:
    assert set(BUILDERS) <= {name for name, _ in pods(documents)}


def test_no_pod_has_rights_that_it_does_not_need(documents: list[Document]) -> None:
    for name, pod in pods(documents):
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        if pod["serviceAccountName"] != "casa-runner":
            assert pod["automountServiceAccountToken"] is False, name
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert {"memory"} <= container["resources"]["limits"].keys(), name
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), name


def test_a_site_names_its_own_images_for_every_pod(tmp_path: Path) -> None:
    shutil.copytree(K8S, tmp_path / "k8s")
    overlay = tmp_path / "k8s/overlays/production/kustomization.yaml"
    own = [{"name": f"alma-restore/{name}", "newName": f"example.org/{name}", "newTag": "9"} for name in BUILDERS]
    overlay.write_text(overlay.read_text() + yaml.safe_dump({"images": own}))
    for name, pod in pods(built(overlay.parent)):
        for container in pod["containers"]:
            assert re.fullmatch(r"example\.org/[a-z-]+:9", container["image"]), name


def test_what_keeps_running_is_probed(documents: list[Document]) -> None:
    for document in documents:
        if document["kind"] == "Deployment":
            (container,) = document["spec"]["template"]["spec"]["containers"]
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()


def test_whatever_a_pod_mounts_is_there_and_every_named_configuration_too(documents: list[Document]) -> None:
    maps = {d["metadata"]["name"] for d in documents if d["kind"] == "ConfigMap"}
    claims = {d["metadata"]["name"] for d in documents if d["kind"] == "PersistentVolumeClaim"}
    for name, pod in pods(documents):
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes, name
            for source in container["envFrom"]:
                assert "secretRef" in source or source["configMapRef"]["name"] in maps, name
        assert {
            v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v
        } <= claims


def test_no_secret_is_in_what_is_applied(documents: list[Document]) -> None:
    assert not [d for d in documents if d["kind"] == "Secret"]


def test_a_runner_gets_the_time_to_finish_its_restore(documents: list[Document]) -> None:
    runner = next(pod for name, pod in pods(documents) if name == "casa-runner")
    variables = {v["name"]: v["value"] for v in runner["containers"][0]["env"]}
    assert float(variables["ALMA_RESTORE_DRAIN_TIMEOUT"]) < runner["terminationGracePeriodSeconds"]
    assert float(variables["ALMA_RESTORE_DRAIN_TIMEOUT"]) >= 172_000


def test_casa_lacks_memory_before_its_runner_does(documents: list[Document], monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes ends a container as a whole that takes more than its limit: the block would come again for ever."""
    (container,) = next(pod for name, pod in pods(documents) if name == "casa-runner")["containers"]
    variables = {each["name"]: each["value"] for each in container["env"]}
    assert len(variables) == len(container["env"])
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = CasaRunnerSettings()
    limit = TypeAdapter(ByteSize).validate_python(container["resources"]["limits"]["memory"] + "B")
    if isinstance(settings.launcher, ProcessSettings):
        assert settings.launcher.memory is not None
        assert settings.concurrency * settings.launcher.memory * settings.more_memory <= limit - OF_A_RUNNER
    else:
        assert "memory" not in settings.launcher.model_fields_set
        assert limit >= OF_A_RUNNER


@pytest.mark.parametrize("overlay", ["small", "production"])
def test_every_service_starts_with_an_overlays_settings_and_the_examples_of_secrets(
    overlay: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = built(K8S / "overlays" / overlay)
    wanted = dict(pods(documents))
    for name in BUILDERS:
        (container,) = wanted[name]["containers"]
        shared, given = variables_of(container, documents)
        with monkeypatch.context() as patch:
            for variable, value in (shared | given).items():
                patch.setenv(variable, value)
            assert RuntimeSettings().store.kind == "s3"
            own = import_module(f"services.{name.replace('-', '_')}.settings")
            for member in vars(own).values():
                if isinstance(member, type) and issubclass(member, BaseSettings) and member.__module__ == own.__name__:
                    member()


def test_what_is_in_the_examples_are_secrets_that_pods_ask_for(documents: list[Document]) -> None:
    asked = {
        source["secretRef"]["name"]
        for _, pod in pods(documents)
        for container in pod["containers"]
        for source in container["envFrom"]
        if "secretRef" in source
    }
    assert asked <= examples_of_secrets().keys()


def keys_asked_for(node: object) -> Iterator[tuple[str, str]]:
    """Find what custom resources ask for of secrets: name and key."""
    if isinstance(node, dict):
        if isinstance(node.get("key"), str) and isinstance(node.get("name"), str):
            yield node["name"], node["key"]
        for value in node.values():
            yield from keys_asked_for(value)
    elif isinstance(node, list):
        for value in node:
            yield from keys_asked_for(value)


def test_what_custom_resources_ask_for_of_secrets_is_in_the_examples() -> None:
    documents = [each for each in built(K8S / "overlays/production") if each["kind"] in CUSTOM]
    asked = set(keys_asked_for([each["spec"] for each in documents]))
    held = {(name, key) for name, values in examples_of_secrets().items() for key in values}
    assert {("alma-restore-bus-management", "url"), ("alma-restore-broker-ca", "ca.crt")} <= asked <= held
