"""What time and people do to a delivery, moment by moment."""

from datetime import timedelta
from uuid import UUID

import pytest

from contracts.manifests import DeliveryManifest
from services.request_desk.deliveries.base import DeliveryPhase, RenewalRefusedError
from services.request_desk.deliveries.life import (
    DeliveryState,
    Terms,
    first_state,
    is_end_due,
    is_reminder_due,
    latest_end,
    phase_of,
    renewed,
)
from tests.support.deliveries import START, request_of

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
TERMS = Terms(retention=28 * DAY, longest=100 * DAY, reminder=7 * DAY)
MANIFEST = DeliveryManifest(
    token=UUID(int=7).hex,
    address="https://restore.example.org/deliveries/7",
    request=request_of(1),
    created=START,
    expires=START + 28 * DAY,
    files=(),
    texts=(),
)
FIRST = first_state(MANIFEST)


def changed(**values: object) -> DeliveryState:
    return FIRST.model_copy(update=values)


def test_a_delivery_is_open_until_its_very_second() -> None:
    assert phase_of(FIRST, START + 28 * DAY - SECOND) is DeliveryPhase.OPEN
    assert phase_of(FIRST, START + 28 * DAY) is DeliveryPhase.EXPIRED
    assert not is_end_due(FIRST, START + 28 * DAY - SECOND)
    assert is_end_due(FIRST, START + 28 * DAY)


def test_what_is_kept_neither_expires_nor_is_reminded_of() -> None:
    kept = changed(kept="operator")
    assert phase_of(kept, START + 1000 * DAY) is DeliveryPhase.OPEN
    assert not is_end_due(kept, START + 1000 * DAY)
    assert not is_reminder_due(MANIFEST, kept, TERMS, START + 22 * DAY)


def test_what_is_closed_stays_closed_whatever_is_kept_or_renewed() -> None:
    closed = changed(closed=START + 28 * DAY, kept="operator", expires=START + 90 * DAY)
    assert phase_of(closed, START + 29 * DAY) is DeliveryPhase.EXPIRED
    assert not is_end_due(closed, START + 29 * DAY)
    with pytest.raises(RenewalRefusedError, match="request them again"):
        renewed(MANIFEST, closed, TERMS, now=START + 29 * DAY, until=None)


def test_a_renewal_counts_from_now_and_never_shortens() -> None:
    later = renewed(MANIFEST, FIRST, TERMS, now=START + 20 * DAY, until=None)
    assert (later.expires, later.renewals) == (START + 48 * DAY, 1)
    assert renewed(MANIFEST, later, TERMS, now=START + 20 * DAY, until=START + 30 * DAY) == later
    assert renewed(MANIFEST, FIRST, TERMS, now=START, until=START + 50 * DAY).expires == START + 50 * DAY


def test_what_has_expired_can_be_renewed_while_its_data_are_there() -> None:
    assert renewed(MANIFEST, FIRST, TERMS, now=START + 29 * DAY, until=None).expires == START + 57 * DAY


def test_a_delivery_is_not_kept_for_longer_than_the_longest_time() -> None:
    assert latest_end(MANIFEST, TERMS) == START + 100 * DAY
    state = changed(expires=START + 90 * DAY)
    assert renewed(MANIFEST, state, TERMS, now=START + 89 * DAY, until=None).expires == START + 100 * DAY
    with pytest.raises(RenewalRefusedError, match="2026-04-11 12:00 UTC at most"):
        renewed(MANIFEST, state, TERMS, now=START + 89 * DAY, until=START + 101 * DAY)
    with pytest.raises(RenewalRefusedError, match="which is past"):
        renewed(MANIFEST, changed(expires=START + 100 * DAY), TERMS, now=START + 100 * DAY, until=None)


def test_the_user_is_reminded_once_for_each_expiry() -> None:
    assert not is_reminder_due(MANIFEST, FIRST, TERMS, START + 21 * DAY - SECOND)
    assert is_reminder_due(MANIFEST, FIRST, TERMS, START + 21 * DAY)
    reminded = changed(reminded=FIRST.expires)
    assert not is_reminder_due(MANIFEST, reminded, TERMS, START + 22 * DAY)
    longer = reminded.model_copy(update={"expires": START + 50 * DAY})
    assert not is_reminder_due(MANIFEST, longer, TERMS, START + 42 * DAY)
    assert is_reminder_due(MANIFEST, longer, TERMS, START + 43 * DAY)
    assert not is_reminder_due(MANIFEST, FIRST, TERMS, START + 28 * DAY)


def test_of_a_short_delivery_nobody_is_reminded_at_its_beginning() -> None:
    short = MANIFEST.model_copy(update={"expires": START + 4 * DAY})
    assert not is_reminder_due(short, first_state(short), TERMS, START + 1 * DAY)
    assert is_reminder_due(short, first_state(short), TERMS, START + 2 * DAY)
