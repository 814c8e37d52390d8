"""What is in k8s/, as kustomize builds it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

K8S = Path(__file__).parents[2] / "k8s"
_KUBECTL = shutil.which("kubectl") or str(Path(sys.executable).parent / "kubectl")
_JOBS = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: alma-restore
resources: [../base]
components: [../components/kubernetes-jobs]
"""

Document = dict[str, Any]


def built(folder: Path) -> list[Document]:
    """Build a folder; returns its objects."""
    done = subprocess.run([_KUBECTL, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def built_with_jobs(root: Path) -> list[Document]:
    """Build the base with the component by which CASA runs in Jobs, on a copy below ``root``."""
    for name in ("base", "components"):
        subprocess.run(["cp", "-r", K8S / name, root / name], check=True)
    (root / "site").mkdir()
    (root / "site" / "kustomization.yaml").write_text(_JOBS)
    return built(root / "site")


def templates(documents: list[Document]) -> Iterator[tuple[Document, Document]]:
    """Find every pod that is described: its owner and its template."""
    for document in documents:
        spec = document.get("spec", {})
        owner = spec.get("jobTargetRef") or spec.get("jobTemplate", {}).get("spec") or spec
        if "containers" in owner.get("template", {}).get("spec", {}):
            yield document, owner["template"]


def container_of(manifest: str) -> Document:
    """Return the only container of a file of the base; the image's entry point starts it."""
    (template,) = (
        template for _, template in templates(list(yaml.safe_load_all((K8S / "base" / manifest).read_text())))
    )
    (container,) = template["spec"]["containers"]
    assert "command" not in container, manifest
    return dict(container)


def examples_of_secrets() -> dict[str, dict[str, str]]:
    """Return what the examples hold, by the secrets' names."""
    documents = yaml.safe_load_all((K8S / "examples" / "secrets.yaml").read_text())
    return {document["metadata"]["name"]: document["stringData"] for document in documents}


def variables_of(container: Document, documents: list[Document]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what a container is given by configurations, which pods share, and what by secrets or for itself."""
    maps = {each["metadata"]["name"]: each["data"] for each in documents if each["kind"] == "ConfigMap"}
    secrets = examples_of_secrets()
    shared: dict[str, str] = {}
    own: dict[str, str] = {}
    for source in container["envFrom"]:
        if "secretRef" in source:
            own |= secrets[source["secretRef"]["name"]]
        else:
            shared |= maps[source["configMapRef"]["name"]]
    return shared, own | {each["name"]: each["value"] for each in container.get("env", [])}
