"""The register of deliveries in the store: what each is, what has happened to it, and what became of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from contracts.manifests import DeliveryManifest
from contracts.messages.parts import ObjectRef
from services.request_desk.deliveries.life import DeliveryState, first_state
from shared import deliveries, keys
from shared.objects import ObjectChangedError, ObjectExistsError, ObjectMissingError, ObjectStore, ref_of

GONE = "expired/"
"""Folder of the records of deliveries that are over."""
DO_NOT_REMOVE = ".donotremove"
BY_FILE = f"file {DO_NOT_REMOVE}"


class GoneDelivery(BaseModel):
    """What stays of a delivery, so that its address tells what became of it."""

    model_config = ConfigDict(frozen=True)

    manifest: DeliveryManifest
    state: DeliveryState
    removed: datetime


@dataclass(frozen=True)
class Entry:
    """A delivery as it stands in the register.

    Attributes
    ----------
    stored
        The state's object; None while nothing has happened to the delivery.
    """

    manifest: DeliveryManifest
    state: DeliveryState
    stored: ObjectRef | None = None
    removed: datetime | None = None


class _Named(BaseModel):
    """The part of the record of a request's delivery that is read here."""

    token: str


class Register:
    """Reads and changes the records of deliveries. Safe from any thread, and beside other desks.

    Parameters
    ----------
    objects
        The store.
    area
        The directory that the notifier lays deliveries out in, if it does and it can be seen
        from here: a file ``.donotremove`` in a delivery's directory keeps the delivery.
    """

    def __init__(self, *, objects: ObjectStore, area: Path | None = None) -> None:
        self._objects = objects
        self._area = area

    def tokens(self) -> Iterator[str]:
        """Name the deliveries that are not over yet."""
        for folder in self._objects.folders(deliveries.FOLDER):
            yield folder.removeprefix(deliveries.FOLDER).rstrip("/")

    def token_of(self, request_id: UUID) -> str | None:
        """Return the token of a request's delivery, or None if it never had one."""
        key = keys.delivery(request_id)
        return _Named.model_validate_json(self._objects.get(key)).token if self._objects.info(key) else None

    def find(self, token: str) -> Entry | None:
        """Return a delivery, also one that is over, or None if there is none."""
        manifest = deliveries.read_manifest(self._objects, token)
        if manifest is None:
            return self._gone(token)
        state, stored = self._state(token, manifest)
        return Entry(manifest, self._with_file(token, state), stored)

    def _gone(self, token: str) -> Entry | None:
        try:
            gone = GoneDelivery.model_validate_json(self._objects.get(_gone_key(token)))
        except ObjectMissingError:
            return None
        return Entry(gone.manifest, gone.state, removed=gone.removed)

    def change(self, token: str, decide: Callable[[Entry], DeliveryState]) -> Entry | None:
        """Change the state of a delivery as ``decide`` says; of several who do, all come one after another.

        Returns
        -------
        Entry or None
            The delivery afterwards; None if there is none, or it is over.
        """
        while True:
            entry = self.find(token)
            if entry is None or entry.removed is not None:
                return None
            state = decide(entry)
            if state == entry.state:
                return entry
            try:
                stored = self._write(token, state, entry.stored)
            except (ObjectExistsError, ObjectChangedError):
                continue
            return Entry(entry.manifest, state, stored)

    def end(self, entry: Entry, *, now: datetime) -> None:
        """Record that a delivery is over, and remove its own objects; the data are not its own."""
        token = entry.manifest.token
        gone = GoneDelivery(manifest=entry.manifest, state=entry.state, removed=now)
        self._objects.put_bytes(_gone_key(token), gone.model_dump_json().encode())
        self._objects.delete(deliveries.manifest(token))
        self.clear(token)

    def clear(self, token: str) -> None:
        """Remove what is left of a delivery that is over."""
        for found in list(self._objects.list(deliveries.folder(token))):
            self._objects.delete(found.key)

    def _state(self, token: str, manifest: DeliveryManifest) -> tuple[DeliveryState, ObjectRef | None]:
        key = _state_key(token)
        try:
            data = self._objects.get(key)
        except ObjectMissingError:
            return first_state(manifest), None
        # Made of the bytes themselves: another desk may replace them at any moment.
        ref = ref_of(key, data)
        return DeliveryState.model_validate_json(data), ref

    def _with_file(self, token: str, state: DeliveryState) -> DeliveryState:
        """Take the file ``.donotremove`` for a word to keep the delivery; it is never written into the state."""
        if self._area is None or state.kept is not None or not (self._area / token / DO_NOT_REMOVE).exists():
            return state
        return state.model_copy(update={"kept": BY_FILE})

    def _write(self, token: str, state: DeliveryState, instead_of: ObjectRef | None) -> ObjectRef:
        if state.kept == BY_FILE:
            state = state.model_copy(update={"kept": None})
        data = state.model_dump_json().encode()
        if instead_of is None:
            return self._objects.create(_state_key(token), data)
        return self._objects.replace(_state_key(token), data, expected=instead_of)


def _state_key(token: str) -> str:
    return f"{deliveries.folder(token)}state.json"


def _gone_key(token: str) -> str:
    return f"{GONE}{token}.json"
