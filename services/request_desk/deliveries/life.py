"""The life of a delivery: what is decided about it and when, as functions of what is recorded and the time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from contracts.manifests import DeliveryManifest
from services.request_desk.deliveries.base import DeliveryPhase, RenewalRefusedError


class DeliveryState(BaseModel):
    """What has happened to a delivery since it was made; replaced as a whole, so that changes have one winner.

    Attributes
    ----------
    kept
        Who has set ``.donotremove``.
    reminded
        The expiry that its user was reminded of.
    closed
        When it was ended for good: nothing of it is given out, and it cannot be renewed any more.
    farewell
        Whether its end was said, or stands in ``unsaid``.
    unsaid
        Events that follow from this state and are still to be said, encoded.
    """

    model_config = ConfigDict(frozen=True)

    expires: datetime
    renewals: int = 0
    kept: str | None = None
    reminded: datetime | None = None
    closed: datetime | None = None
    farewell: bool = False
    unsaid: tuple[str, ...] = Field(default=())


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How long deliveries are kept.

    Attributes
    ----------
    retention
        For how long a renewal keeps a delivery, counted from then.
    longest
        For how long a delivery can be kept by renewing, counted from when it was made.
    reminder
        How long before its end the user is reminded.
    """

    retention: timedelta
    longest: timedelta
    reminder: timedelta


def first_state(manifest: DeliveryManifest) -> DeliveryState:
    """Return the state of a delivery to which nothing has happened yet."""
    return DeliveryState(expires=manifest.expires)


def phase_of(state: DeliveryState, now: datetime) -> DeliveryPhase:
    """Tell whether a delivery is open. It expires at its very second, whenever that is looked at."""
    if state.closed is not None:
        return DeliveryPhase.EXPIRED
    return DeliveryPhase.OPEN if state.kept is not None or now < state.expires else DeliveryPhase.EXPIRED


def latest_end(manifest: DeliveryManifest, terms: Terms) -> datetime:
    """Tell until when a delivery can be renewed at most."""
    return max(manifest.created + terms.longest, manifest.expires)


def renewed(
    manifest: DeliveryManifest, state: DeliveryState, terms: Terms, *, now: datetime, until: datetime | None
) -> DeliveryState:
    """Decide on a renewal; it never shortens.

    Raises
    ------
    RenewalRefusedError
        If the delivery is over for good, or it would be kept for too long.
    """
    check_not_ended(state)
    latest = latest_end(manifest, terms)
    if until is not None and until > latest:
        raise RenewalRefusedError(f"this delivery can be kept until {latest:%Y-%m-%d %H:%M} UTC at most")
    wanted = until if until is not None else min(now + terms.retention, latest)
    if wanted <= now:
        raise RenewalRefusedError(
            f"this delivery could be kept until {latest:%Y-%m-%d %H:%M} UTC at most, which is past"
        )
    if wanted <= state.expires:
        return state
    return state.model_copy(update={"expires": wanted, "renewals": state.renewals + 1})


def check_not_ended(state: DeliveryState) -> None:
    """Make sure that a delivery can still be kept for longer.

    Raises
    ------
    RenewalRefusedError
        If it is over for good.
    """
    if state.closed is not None:
        raise RenewalRefusedError("this delivery has ended and its data are being removed; request them again")


def is_reminder_due(manifest: DeliveryManifest, state: DeliveryState, terms: Terms, now: datetime) -> bool:
    """Decide whether to remind the user: once for each expiry, and not in the first half of the delivery's time."""
    if state.kept is not None or state.closed is not None or state.reminded == state.expires:
        return False
    since = max(state.expires - terms.reminder, manifest.created + (state.expires - manifest.created) / 2)
    return since <= now < state.expires


def is_end_due(state: DeliveryState, now: datetime) -> bool:
    """Decide whether to end a delivery for good."""
    return state.closed is None and phase_of(state, now) is DeliveryPhase.EXPIRED
