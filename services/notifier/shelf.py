"""Deliveries in the store: what accompanies the data, and a manifest that refers to them."""

from collections.abc import Mapping, Sequence

import structlog

from contracts.manifests import DeliveryManifest
from contracts.messages.parts import Entitlement, NamedRef, RestoreRequest
from services.notifier.addresses import DeliveryRecord
from shared import deliveries
from shared.objects import ObjectMissingError, ObjectStore

log = structlog.get_logger()


class Shelf:
    """Writes deliveries into the store, where the request desk serves them from and ends them.

    The data are not copied. From the moment that the manifest stands nobody removes them.

    Parameters
    ----------
    objects
        The store.
    """

    def __init__(self, *, objects: ObjectStore) -> None:
        self._objects = objects

    def lay_out(
        self,
        record: DeliveryRecord,
        request: RestoreRequest,
        files: Sequence[NamedRef],
        texts: Mapping[str, str],
        *,
        entitlement: Entitlement | None,
    ) -> None:
        """Store the texts, then the manifest; a delivery that is there stays as it is.

        Raises
        ------
        ObjectMissingError
            If the data are not in the store any more.
        """
        if deliveries.read_manifest(self._objects, record.token) is not None:
            return
        self._check_present(files)
        stored = [self._store(record.token, name, text) for name, text in texts.items()]
        manifest = DeliveryManifest(
            token=record.token,
            address=record.address,
            request=request,
            entitlement=entitlement,
            created=record.created,
            expires=record.expires,
            files=tuple(files),
            texts=tuple(stored),
        )
        deliveries.write_manifest(self._objects, manifest)
        log.info("delivery_shelved", files=len(files))

    def _check_present(self, files: Sequence[NamedRef]) -> None:
        for file in files:
            found = self._objects.info(file.ref.key)
            if found is None or found.ref != file.ref:
                raise ObjectMissingError(
                    f"{file.ref.key} is not in the store as it was restored; request its MOUS once more"
                )

    def _store(self, token: str, name: str, text: str) -> NamedRef:
        return NamedRef(name=name, ref=self._objects.put_bytes(deliveries.text(token, name), text.encode()))
