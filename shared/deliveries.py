"""Deliveries in the store: laid out by one service, served and removed by another.

Below ``deliveries/<token>/`` lie the texts of a delivery and, written last, its manifest. The data
are not copied: the manifest refers to the products. Who removes a delivery leaves a record
under ``expired/``, so that its address still tells what became of it.
"""

from contracts.manifests import DeliveryManifest
from shared.objects import ObjectExistsError, ObjectMissingError, ObjectStore

FOLDER = "deliveries/"
README = "README.txt"
SUMS = "SHA256SUMS"
PROVENANCE = "provenance.json"


def folder(token: str) -> str:
    """Folder of a delivery."""
    return f"{FOLDER}{token}/"


def text(token: str, name: str) -> str:
    """Key of a text that accompanies a delivery."""
    return f"{folder(token)}texts/{name}"


def manifest(token: str) -> str:
    """Key of the manifest of a delivery."""
    return f"{folder(token)}manifest.json"


def write_manifest(objects: ObjectStore, delivery: DeliveryManifest) -> None:
    """Write a manifest, last of all; the first one stands."""
    try:
        objects.create(manifest(delivery.token), delivery.model_dump_json(indent=1).encode())
    except ObjectExistsError:
        return


def read_manifest(objects: ObjectStore, token: str) -> DeliveryManifest | None:
    """Return the manifest of a delivery, or None if there is none."""
    try:
        return DeliveryManifest.model_validate_json(objects.get(manifest(token)))
    except ObjectMissingError:
        return None
