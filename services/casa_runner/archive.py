"""What the runner keeps in the store: results to be found again, tars and logs."""

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path

import structlog

from contracts.manifests import ProductManifest
from contracts.messages import RestoreOrdered
from contracts.messages.parts import ObjectRef, RestoredBlock
from services.casa_runner.interruption import Interruption
from services.casa_runner.tar_stream import CHUNK, tar_bytes, tar_chunks
from shared import keys
from shared.errors import DependencyAwayError
from shared.objects import ObjectExistsError, ObjectStore
from shared.objects.streams import heeded

log = structlog.get_logger()


_STORE_DELAYS = (1.0, 5.0, 15.0, 60.0, 120.0, 300.0)


def patiently(
    store: Callable[[], RestoredBlock], *, interruption: Interruption, delays: Iterable[float] = _STORE_DELAYS
) -> RestoredBlock:
    """Try again to store a result while the store is away: it is worth hours of work."""
    for delay in delays:
        try:
            return store()
        except DependencyAwayError as error:
            log.warning("store_away", cause=str(error), next_attempt_in=delay)
            interruption.check()
            interruption.wait(delay)
    return store()


class Archive:
    """The results of restores.

    A tar lies in a folder of the attempt that made it, so that two runners that work on one
    order do not write to one key; the manifest, which is created once, says whose stands.
    """

    def __init__(self, *, objects: ObjectStore) -> None:
        self._objects = objects

    def find(self, order: RestoreOrdered) -> RestoredBlock | None:
        """Return what was restored for this key before, if it is still whole."""
        key = _manifest_key(order)
        if self._objects.info(key) is None:
            return None
        block = ProductManifest.model_validate_json(self._objects.get(key)).block
        tar = self._objects.info(block.tar.key)
        if tar is None or tar.ref != block.tar:
            log.warning("product_incomplete", key=key, tar=block.tar.key, consequence="it is restored again")
            self._objects.delete(key)
            return None
        return block.model_copy(update={"reused": True})

    def store_tar(
        self, order: RestoreOrdered, ms: Path, *, attempt: str, mtime: int, heed: Callable[[int, int], None]
    ) -> ObjectRef:
        """Stream a MeasurementSet into the store as a tar.

        Parameters
        ----------
        heed
            Told before each chunk how many bytes are sent, and of how many; what it raises leaves nothing in the store.
        """
        key = f"{_folder(order)}{attempt}/{ms.name}.tar"
        total, sent = tar_bytes(ms, mtime=mtime), count(step=CHUNK)
        chunks = heeded(tar_chunks(ms, mtime=mtime), lambda: heed(next(sent), total))
        return self._objects.put(key, chunks, at_most=total)

    def store_log(self, order: RestoreOrdered, files: tuple[Path, ...], *, attempt: str) -> ObjectRef:
        """Store CASA's log together with what it printed."""
        key = keys.log(order.request.request_id, order.eb_uid, f"{attempt}.log")
        return self._objects.put(key, _joined(files))

    def conclude(self, order: RestoreOrdered, block: RestoredBlock, log_ref: ObjectRef) -> RestoredBlock:
        """Name a result; if somebody else's stands already, ours is thrown away and theirs returned."""
        manifest = ProductManifest(
            mous_uid=order.request.mous_uid,
            restore_key=order.restore_key,
            block=block,
            asdm=order.asdm,
            products=order.products,
            log=log_ref,
        )
        try:
            self._objects.create(_manifest_key(order), manifest.model_dump_json(indent=1).encode())
        except ObjectExistsError:
            block = ProductManifest.model_validate_json(self._objects.get(_manifest_key(order))).block
        self._remove_others(order, block)
        return block

    def _remove_others(self, order: RestoreOrdered, block: RestoredBlock) -> None:
        """Remove tars of attempts that came to no manifest."""
        for found in list(self._objects.list(_folder(order))):
            if found.key not in (block.tar.key, _manifest_key(order)):
                self._objects.delete(found.key)


def _folder(order: RestoreOrdered) -> str:
    return keys.product_folder(order.eb_uid, order.restore_key)


def _manifest_key(order: RestoreOrdered) -> str:
    return f"{_folder(order)}manifest.json"


def _joined(files: tuple[Path, ...]) -> Iterator[bytes]:
    for path in files:
        if not path.is_file():
            continue
        yield f"===== {path.name}\n".encode()
        with path.open("rb") as stream:
            while piece := stream.read(2**20):
                yield piece
