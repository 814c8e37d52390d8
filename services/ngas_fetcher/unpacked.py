"""What attempts to unpack a package leave in the store: each has a folder of its own, and at most one is named."""

from collections.abc import Callable, Sequence

from contracts.manifests import AsdmManifest
from shared.objects import ObjectStore

UNPACKED = "unpacked/"
_ASDMS = "asdm/"


def remove_unpacked(objects: ObjectStore, folder: str) -> None:
    """Remove what killed attempts to unpack the package of this folder left; nobody else may be at it."""
    _remove(objects, f"{folder}{UNPACKED}")


def sweep_unpacked(objects: ObjectStore, *, is_dead: Callable[[str], bool]) -> int:
    """Remove the files of attempts that were killed, of blocks that nobody asked for again, and count them.

    Parameters
    ----------
    objects
        The store.
    is_dead
        Tells of the folder of an ASDM whether nobody has been at it for long enough.
    """
    return sum(
        _sweep(objects, folder, is_dead) for block in objects.folders(_ASDMS) for folder in objects.folders(block)
    )


def _sweep(objects: ObjectStore, folder: str, is_dead: Callable[[str], bool]) -> int:
    # In this order: whoever claims the folder after the look at its claim has an attempt that is not among these.
    attempts = objects.folders(f"{folder}{UNPACKED}")
    if not attempts or not is_dead(folder):
        return 0
    named = _named(objects, folder, attempts)
    return sum(_remove(objects, attempt) for attempt in attempts if attempt not in named)


def _named(objects: ObjectStore, folder: str, attempts: Sequence[str]) -> Sequence[str]:
    """Tell whose files the manifest names; it is read only where that is not plain."""
    manifest = f"{folder}manifest.json"
    if objects.info(manifest) is None:
        return ()
    if len(attempts) == 1:
        return attempts
    files = AsdmManifest.model_validate_json(objects.get(manifest)).files
    return [attempt for attempt in attempts if any(file.ref.key.startswith(attempt) for file in files)]


def _remove(objects: ObjectStore, prefix: str) -> int:
    found = list(objects.list(prefix))
    for info in found:
        objects.delete(info.key)
    return len(found)
