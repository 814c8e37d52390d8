"""What the desk says about deliveries; each word stands in the delivery's state until it has been said."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID, uuid5

import structlog

from contracts.envelope import Event
from contracts.manifests import DeliveryManifest
from contracts.messages import DeliveryExpired, DeliveryExpiring, DeliveryRenewed, Message
from contracts.messages.parts import DeliveredFile
from services.request_desk.deliveries.life import DeliveryState
from services.request_desk.deliveries.register import Entry, Register
from shared.errors import RestoreError
from shared.request_text import one_line
from shared.service import source_of

log = structlog.get_logger()

Publish = Callable[[Sequence[Event]], None]
SOURCE = source_of("request-desk")


def with_word(state: DeliveryState, message: Message, *, key: str, request_id: UUID) -> DeliveryState:
    """Add an event to what a delivery's state has still to be said; the same key is the same event."""
    event_id = uuid5(request_id, f"{message.topic}/{key}")
    event = Event.first(message, source=SOURCE, event_id=event_id)
    return state.model_copy(update={"unsaid": (*state.unsaid, event.encode().decode())})


def renewal(manifest: DeliveryManifest, state: DeliveryState, by: str) -> DeliveryRenewed:
    """Say that a delivery is kept for longer, or for ever."""
    return DeliveryRenewed(
        request_id=manifest.request.request_id,
        mous_uid=manifest.request.mous_uid,
        expires=state.expires,
        kept=state.kept is not None,
        by=person(by),
    )


def reminder(manifest: DeliveryManifest, state: DeliveryState) -> DeliveryExpiring:
    """Say that a delivery will be removed."""
    return DeliveryExpiring(
        request=manifest.request, address=manifest.address, files=delivered(manifest), expires=state.expires
    )


def farewell(manifest: DeliveryManifest, *, removed: Sequence[str]) -> DeliveryExpired:
    """Say that a delivery is over, and the data of which of its files were removed."""
    files = delivered(manifest)
    return DeliveryExpired(
        request_id=manifest.request.request_id,
        mous_uid=manifest.request.mous_uid,
        files=files,
        removed=tuple(file.name for file in files if file.name in removed),
        still_used=tuple(file.name for file in files if file.name not in removed),
        freed=sum(file.size for file in files if file.name in removed),
    )


def delivered(manifest: DeliveryManifest) -> tuple[DeliveredFile, ...]:
    """List a delivery's data as events tell them."""
    return tuple(DeliveredFile(name=file.name, size=file.ref.size, sha256=file.ref.sha256) for file in manifest.files)


def person(text: str) -> str:
    """Make a line of text of what names a person, whatever it holds."""
    visible = "".join(letter if letter.isprintable() else " " for letter in text)
    return one_line(visible)[:200] or "unknown"


class Voice:
    """Says what stands in the states of deliveries.

    Parameters
    ----------
    register
        The deliveries.
    """

    def __init__(self, *, register: Register) -> None:
        self._register = register
        self._publish: Publish | None = None

    def begin(self, publish: Publish) -> None:
        """Begin to speak."""
        self._publish = publish

    def say(self, entry: Entry) -> bool:
        """Say what is unsaid of a delivery, and tell whether all is said now; what is not is said later."""
        words = entry.state.unsaid
        if not words:
            return True
        if self._publish is None:
            return False
        try:
            self._publish([Event.decode(word.encode()) for word in words])
        except RestoreError as error:
            log.warning("delivery_not_told", cause=str(error), consequence="it is said again later")
            return False
        self._register.change(entry.manifest.token, lambda now: _without(now.state, words))
        return True


def _without(state: DeliveryState, said: Sequence[str]) -> DeliveryState:
    return state.model_copy(update={"unsaid": tuple(word for word in state.unsaid if word not in said)})


def closed(state: DeliveryState, now: datetime) -> DeliveryState:
    """End a delivery for good."""
    return state.model_copy(update={"closed": now})
