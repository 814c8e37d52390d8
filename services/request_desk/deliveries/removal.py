"""Hide, bring back and remove units of the store; each may be killed anywhere and is done again."""

import os
import socket
from datetime import timedelta

import structlog

from services.request_desk.deliveries.units import Unit
from shared.objects import ObjectExistsError, ObjectInfo, ObjectStore
from shared.objects.lease import LeaseHeldError, Leases

log = structlog.get_logger()

HIDDEN = "hidden/"
"""Folder of the manifests of condemned units."""
_TTL = timedelta(seconds=60)


def owner() -> str:
    """Name this process in leases."""
    return f"request-desk {socket.gethostname()}:{os.getpid()}"


class Remover:
    """Carries out what was decided on units.

    Parameters
    ----------
    objects
        The store.
    leases
        A unit is removed under the lease that is held by whoever works in it.
    """

    def __init__(self, *, objects: ObjectStore, leases: Leases) -> None:
        self._objects = objects
        self._leases = leases

    def has_manifest(self, unit: Unit) -> bool:
        """Whether a unit is whole, so that it can be found for reuse."""
        return unit.manifest is not None and self._objects.info(unit.manifest) is not None

    def hide(self, unit: Unit) -> None:
        """Keep a copy of a unit's manifest aside, an empty one if it has none, and take it away."""
        if unit.manifest is None:
            return
        found = self._objects.info(unit.manifest)
        data = self._objects.read(found.ref) if found is not None else b""
        self._objects.put_bytes(_hidden(unit.manifest), data)
        self._objects.delete(unit.manifest)

    def is_hidden(self, unit: Unit) -> bool:
        """Whether `hide` came to its end; what has been made anew since counts as hidden."""
        if unit.manifest is None:
            return True
        hidden, found = self._objects.info(_hidden(unit.manifest)), self._objects.info(unit.manifest)
        return hidden is not None and (found is None or found.sha256 != hidden.sha256)

    def is_made_anew(self, unit: Unit) -> bool:
        """Whether a hidden unit has a manifest again: somebody has restored it."""
        return self.has_manifest(unit) and self.is_hidden(unit)

    def forget(self, unit: Unit) -> None:
        """Remove the copy of a unit's manifest."""
        if unit.manifest is not None:
            self._objects.delete(_hidden(unit.manifest))

    def bring_back(self, unit: Unit) -> None:
        """Let a hidden unit be found again."""
        if unit.manifest is None or (hidden := self._objects.info(_hidden(unit.manifest))) is None:
            return
        if hidden.size:
            try:
                self._objects.create(unit.manifest, self._objects.read(hidden.ref))
            except ObjectExistsError:
                log.info("unit_was_made_anew", folder=unit.folder)
        self._objects.delete(hidden.key)
        log.info("unit_brought_back", folder=unit.folder)

    def remove(self, unit: Unit) -> int | None:
        """Remove all of a unit and tell its bytes, unless somebody works in it or has made it anew: then None."""
        try:
            with self._leases.held(unit.folder, owner=owner(), ttl=_TTL) as lease:
                if self.is_made_anew(unit):
                    return None
                lease.check()
                freed = sum(self._delete(found) for found in list(self._objects.list(unit.folder)))
                self.forget(unit)
        except LeaseHeldError as error:
            log.info("unit_is_in_work", folder=unit.folder, by=error.record.owner)
            return None
        log.info("unit_removed", folder=unit.folder, bytes=freed)
        return freed

    def _delete(self, found: ObjectInfo) -> int:
        self._objects.delete(found.key)
        return found.size


def _hidden(key: str) -> str:
    return f"{HIDDEN}{key}"
