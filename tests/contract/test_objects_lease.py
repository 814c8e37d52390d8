"""Leases on real stores: one holder, renewal in the background, take-over, races, stores that are away."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.messages.parts import ObjectRef
from shared.errors import DependencyAwayError, MisconfiguredError
from shared.objects import S3Settings
from shared.objects.directory import DirectoryStore
from shared.objects.lease import Lease, LeaseHeldError, LeaseLostError, Leases
from tests.contract.objects_harness import DirectoryHarness, S3Harness, StoreHarness

KEY = "products/uid___A002_X1_X2/abc/"
TTL = timedelta(minutes=4)


class HandClock:
    """A host's clocks, moved by hand."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)
        self.since_start = 0.0

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.since_start

    def pass_(self, duration: timedelta) -> None:
        self.time += duration
        self.since_start += duration.total_seconds()


@pytest.fixture(params=["directory", "s3"])
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreHarness]:
    harness = (
        DirectoryHarness(tmp_path / "root")
        if request.param == "directory"
        else S3Harness(request.getfixturevalue("s3_settings"))
    )
    yield harness
    harness.close()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def leases(harness: StoreHarness, clock: HandClock) -> Leases:
    return Leases(objects=harness.store, clock=clock)


def test_a_claimed_key_is_held_against_others_who_are_told_by_whom(leases: Leases, clock: HandClock) -> None:
    lease = leases.claim(KEY, owner="runner-1", ttl=TTL)
    with pytest.raises(LeaseHeldError, match="runner-1") as refused:
        leases.claim(KEY, owner="runner-2", ttl=TTL)
    assert refused.value.transient
    assert (refused.value.record.owner, refused.value.record.token) == ("runner-1", lease.token)
    assert refused.value.record.until == clock.time + TTL
    lease.check()


def test_another_key_is_claimed_beside_it(leases: Leases) -> None:
    for key in (KEY, KEY + "deeper", "products"):
        assert leases.claim(key, owner="runner", ttl=TTL).key == key.rstrip("/")
    assert {record.key for record in leases.standing("products/")} == {KEY.rstrip("/"), KEY + "deeper"}


def test_a_released_key_is_claimed_at_once_with_a_greater_token(leases: Leases) -> None:
    tokens = []
    for _ in range(3):
        lease = leases.claim(KEY, owner="runner", ttl=TTL)
        tokens.append(lease.token)
        lease.release()
        lease.release()
        with pytest.raises(LeaseLostError, match="released"):
            lease.check()
    assert tokens == sorted(set(tokens))
    assert list(leases.standing()) == []


def test_a_renewed_lease_outlives_its_ttl(leases: Leases, clock: HandClock) -> None:
    lease = leases.claim(KEY, owner="runner-1", ttl=TTL)
    for _ in range(8):
        clock.pass_(TTL * 0.9)
        lease.renew()
        with pytest.raises(LeaseHeldError):
            leases.claim(KEY, owner="runner-2", ttl=TTL)


def test_a_dead_holders_lease_is_taken_over_and_the_dead_one_is_fenced(leases: Leases, clock: HandClock) -> None:
    dead = leases.claim(KEY, owner="runner-1", ttl=TTL)
    clock.pass_(TTL + timedelta(seconds=31))
    heir = leases.claim(KEY, owner="runner-2", ttl=TTL)
    assert heir.token > dead.token
    assert not dead.lost.is_set()
    for act in (dead.check, dead.renew, dead.check):
        with pytest.raises(LeaseLostError, match="runner-1 lost its lease"):
            act()
    assert dead.lost.is_set()
    dead.release()
    heir.check()


def test_a_holder_whose_clock_is_an_hour_ahead_is_judged_by_the_watchers_own_clock(harness: StoreHarness) -> None:
    ahead, right = HandClock(), HandClock()
    ahead.time += timedelta(hours=1)
    watcher = Leases(objects=harness.store, clock=right)
    Leases(objects=harness.store, clock=ahead).claim(KEY, owner="ahead", ttl=TTL)
    for _ in range(2):
        with pytest.raises(LeaseHeldError):
            watcher.claim(KEY, owner="right", ttl=TTL)
        right.pass_(TTL / 2)
    right.pass_(timedelta(seconds=1))
    watcher.claim(KEY, owner="right", ttl=TTL).check()


def test_a_holder_whose_clock_is_behind_by_what_is_allowed_holds_on_against_who_comes_anew(
    harness: StoreHarness,
) -> None:
    behind, right = HandClock(), HandClock()
    behind.time -= timedelta(seconds=29)
    Leases(objects=harness.store, clock=behind).claim(KEY, owner="behind", ttl=TTL)
    right.pass_(TTL)
    with pytest.raises(LeaseHeldError):
        Leases(objects=harness.store, clock=right).claim(KEY, owner="too early", ttl=TTL)
    right.pass_(timedelta(seconds=2))
    Leases(objects=harness.store, clock=right).claim(KEY, owner="right", ttl=TTL).check()


def test_a_holder_that_comes_back_before_anybody_took_over_holds_on(leases: Leases, clock: HandClock) -> None:
    lease = leases.claim(KEY, owner="runner-1", ttl=TTL)
    clock.pass_(TTL * 3)
    lease.check()
    with pytest.raises(LeaseHeldError):
        leases.claim(KEY, owner="runner-2", ttl=TTL)


def test_of_three_who_claim_at_once_one_holds_the_lease(harness: StoreHarness) -> None:
    stores = [harness.another() for _ in range(3)]
    start = threading.Barrier(3)

    def claim(number: int) -> Lease | None:
        start.wait()
        try:
            return Leases(objects=stores[number]).claim(KEY, owner=f"runner-{number}", ttl=TTL)
        except LeaseHeldError:
            return None

    with ThreadPoolExecutor(3) as pool:
        tokens = []
        for _ in range(3):
            (holder,) = [lease for lease in pool.map(claim, range(3)) if lease]
            tokens.append(holder.token)
            holder.check()
            holder.release()
    assert tokens == sorted(set(tokens))
    for store in stores:
        store.close()


def test_a_store_that_is_away_loses_no_lease(harness: StoreHarness, leases: Leases) -> None:
    lease = leases.claim(KEY, owner="runner", ttl=TTL)
    harness.take_away()
    try:
        for act in (lease.check, lease.release, lambda: leases.claim(KEY, owner="other", ttl=TTL)):
            with pytest.raises(DependencyAwayError):
                act()
        assert not lease.lost.is_set()
    finally:
        harness.bring_back()
    lease.check()


def test_records_of_leases_long_over_are_swept_and_living_ones_stay(
    harness: StoreHarness, leases: Leases, clock: HandClock
) -> None:
    leases.claim("long/released", owner="runner", ttl=TTL).release()
    leases.claim("long/dead", owner="runner", ttl=TTL)
    clock.pass_(timedelta(days=8))
    leases.claim("just/released", owner="runner", ttl=TTL).release()
    living = leases.claim("living", owner="runner", ttl=TTL)
    before = leases.claim("again", owner="runner", ttl=TTL)
    before.release()
    assert leases.sweep(timedelta(days=7)) == 2
    assert [info.key for info in harness.store.list("leases/")] == [
        "leases/again.json",
        "leases/just/released.json",
        "leases/living.json",
    ]
    living.check()
    clock.pass_(timedelta(hours=1))
    living.check()
    assert leases.sweep(timedelta(0)) == 2
    assert leases.claim("again", owner="runner", ttl=TTL).token > before.token


def test_what_is_no_lease_says_what_to_remove(harness: StoreHarness, leases: Leases) -> None:
    harness.store.put_bytes("leases/odd.json", b"{}")
    with pytest.raises(MisconfiguredError, match=r"leases/odd\.json is no lease; remove"):
        leases.claim("odd", owner="runner", ttl=TTL)


class ShownStore(DirectoryStore):
    """A directory that tells when something was replaced."""

    def __init__(self, root: Path) -> None:
        super().__init__(root=root)
        self.replaced = threading.Semaphore(0)

    def replace(self, key: str, data: bytes, *, expected: ObjectRef) -> ObjectRef:
        ref = super().replace(key, data, expected=expected)
        self.replaced.release()
        return ref


def test_a_held_lease_is_renewed_in_the_background_and_released_at_the_end(tmp_path: Path) -> None:
    store = ShownStore(tmp_path)
    leases = Leases(objects=store)
    with leases.held(KEY, owner="runner", ttl=timedelta(seconds=0.4)) as lease:
        for _ in range(3):
            assert store.replaced.acquire(timeout=20)
        lease.check()
        (record,) = leases.standing()
        assert record.beat >= 4
    assert list(leases.standing()) == []
    with pytest.raises(OSError, match="work"), leases.held(KEY, owner="runner", ttl=TTL):
        raise OSError("the work failed")
    assert list(leases.standing()) == []


def test_a_held_lease_tells_by_itself_that_it_was_lost(harness: StoreHarness) -> None:
    late = HandClock()
    late.time = datetime.now(UTC) + timedelta(hours=1)
    thief = Leases(objects=harness.store, clock=late)
    with Leases(objects=harness.store).held(KEY, owner="runner", ttl=timedelta(seconds=2)) as lease:
        stolen = thief.claim(KEY, owner="thief", ttl=TTL)
        assert lease.lost.wait(timeout=20)
        with pytest.raises(LeaseLostError):
            lease.check()
    stolen.check()


def test_a_held_lease_is_left_to_expire_if_the_store_is_away(harness: StoreHarness) -> None:
    with ExitStack() as stack, Leases(objects=harness.store).held(KEY, owner="runner", ttl=TTL):
        harness.take_away()
        stack.callback(harness.bring_back)
    assert [record.owner for record in Leases(objects=harness.store).standing()] == ["runner"]


def test_a_renewal_whose_answer_was_lost_is_no_loss_of_the_lease(s3_settings: S3Settings) -> None:
    harness = S3Harness(s3_settings.model_copy(update={"retries": 0}))
    try:
        lease = Leases(objects=harness.store).claim(KEY, owner="runner", ttl=TTL)
        harness.relay.lose_next_answer()
        with pytest.raises(DependencyAwayError):
            lease.renew()
        assert harness.relay.interruptions == 1
        lease.check()
        lease.release()
    finally:
        harness.close()
