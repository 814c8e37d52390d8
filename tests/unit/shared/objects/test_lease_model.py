"""Leases against a model: two writers whose clocks differ and drift, who stall, die and lose answers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.messages.parts import ObjectRef
from shared.errors import DependencyAwayError
from shared.objects import ObjectExistsError
from shared.objects.directory import DirectoryStore
from shared.objects.lease import FOLDER, Lease, LeaseHeldError, LeaseLostError, LeaseRecord, Leases

TTL = timedelta(minutes=4)
SKEW = timedelta(seconds=30)
START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = "products/block"
NAME = "named/result"
WRITERS = st.sampled_from([0, 1])

Fault = Literal["none", "answer lost", "request lost"]


class FaultyStore(DirectoryStore):
    """A directory whose next conditional write fails: before it is done, or after."""

    def __init__(self, root: Path) -> None:
        super().__init__(root=root)
        self.fault: Fault = "none"
        self.before_next_write: Callable[[], None] = lambda: None
        self.after_write: Callable[[str, bytes], None] = lambda _key, _data: None

    def create(self, key: str, data: bytes) -> ObjectRef:
        return self._faulty(key, data, lambda: super(FaultyStore, self).create(key, data))

    def replace(self, key: str, data: bytes, *, expected: ObjectRef) -> ObjectRef:
        return self._faulty(key, data, lambda: super(FaultyStore, self).replace(key, data, expected=expected))

    def _faulty(self, key: str, data: bytes, write: Callable[[], ObjectRef]) -> ObjectRef:
        fault, self.fault = self.fault, "none"
        between, self.before_next_write = self.before_next_write, lambda: None
        between()
        if fault == "request lost":
            raise DependencyAwayError("The request was lost")
        ref = write()
        self.after_write(key, data)
        if fault == "answer lost":
            raise DependencyAwayError("The answer was lost")
        return ref


@dataclass
class Host:
    """A writer's host: its time of day is off and leaps, its other clock runs at a speed of its own and never back."""

    store: FaultyStore
    offset: timedelta = timedelta(0)
    speed: float = 1.0
    true_seconds: float = 0.0
    own_seconds: float = 0.0
    lease: Lease | None = None
    leases: Leases = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin anew, as after a kill: nothing is remembered."""
        self.lease = None
        self.leases = Leases(objects=self.store, clock=self, allowed_skew=SKEW)

    def go_on(self, seconds: float) -> None:
        """Let time pass; what has passed at another speed stays as it was."""
        self.true_seconds += seconds
        self.own_seconds += seconds * self.speed

    def now(self) -> datetime:
        return START + self.offset + timedelta(seconds=self.true_seconds)

    def monotonic(self) -> float:
        return self.own_seconds


@dataclass(frozen=True)
class Sign:
    """A sign of life: what was written, how far the writer's time of day was off, and all hosts' clocks then."""

    record: LeaseRecord
    offset: timedelta
    true_seconds: float
    own_seconds: tuple[float, ...]


class LeaseMachine(RuleBasedStateMachine):
    """Two writers take turns at any step of each other; the world knows the true time and who may name."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory(prefix="leases-")
        self.store = FaultyStore(Path(self.folder.name))
        self.hosts = [Host(self.store), Host(self.store)]
        self.store.after_write = self.note_sign
        self.sign: Sign | None = None
        self.tokens: list[int] = []
        self.named = 0

    def teardown(self) -> None:
        self.folder.cleanup()

    def note_sign(self, key: str, data: bytes) -> None:
        if key.startswith(FOLDER):
            record = LeaseRecord.decoded(data, where=key)
            writer = self.hosts[int(record.owner.removeprefix("writer-"))]
            own_seconds = tuple(host.own_seconds for host in self.hosts)
            self.sign = Sign(record, writer.offset, writer.true_seconds, own_seconds)

    def must_be_refused(self, writer: int) -> bool:
        """Whether somebody holds the lease who was heard within its TTL, and whose clock is not further off."""
        if (sign := self.sign) is None or sign.record.released:
            return False
        host, ttl = self.hosts[writer], TTL.total_seconds()
        heard = max(host.true_seconds - sign.true_seconds, host.own_seconds - sign.own_seconds[writer]) <= ttl
        return heard and abs(host.offset - sign.offset) <= SKEW

    @rule(writer=WRITERS, seconds=st.integers(-900, 900), speed=st.floats(0.9, 1.1))
    def set_clock(self, writer: int, seconds: int, speed: float) -> None:
        self.hosts[writer].offset = timedelta(seconds=seconds)
        self.hosts[writer].speed = speed

    @rule(seconds=st.sampled_from([1, 60, 120, 239, 241, 300, 3600]))
    def time_passes(self, seconds: int) -> None:
        for host in self.hosts:
            host.go_on(seconds)

    @rule(writer=WRITERS)
    def dies(self, writer: int) -> None:
        self.hosts[writer].restart()

    @rule(fault=st.sampled_from(["answer lost", "request lost"]))
    def next_write_fails(self, fault: Fault) -> None:
        self.store.fault = fault

    @rule(writer=WRITERS)
    def other_claims_in_between(self, writer: int) -> None:
        """The other one is quicker by just one write."""
        self.store.before_next_write = lambda: self.claim(writer)

    @rule(writer=WRITERS)
    def claims(self, writer: int) -> None:
        self.claim(writer)

    def claim(self, writer: int) -> None:
        host, must_be_refused = self.hosts[writer], self.must_be_refused(writer)
        try:
            host.lease = host.leases.claim(KEY, owner=f"writer-{writer}", ttl=TTL)
        except (LeaseHeldError, DependencyAwayError):
            return
        assert not must_be_refused, "a holder who lives, and whose clock is right enough, lost its lease"
        assert host.lease.token > max(self.tokens, default=0), "a token must grow with each claim"
        self.tokens.append(host.lease.token)

    @rule(writer=WRITERS, off=st.integers(-30, 30), seconds=st.sampled_from([60, 239, 241]))
    def other_comes_anew_whose_clock_is_off_by_what_is_allowed(self, writer: int, off: int, seconds: int) -> None:
        """It has watched nothing, and has but both hosts' times of day to go by."""
        holder, other = self.hosts[writer], self.hosts[1 - writer]
        other.offset = holder.offset + timedelta(seconds=off)
        self.claim(writer)
        self.time_passes(seconds)
        other.restart()
        self.claim(1 - writer)

    @rule(writer=WRITERS)
    def renews(self, writer: int) -> None:
        if lease := self.hosts[writer].lease:
            self.passes(lease)

    @rule(writer=WRITERS)
    def releases(self, writer: int) -> None:
        if lease := self.hosts[writer].lease:
            try:
                lease.release()
            except DependencyAwayError:
                return
            assert not self.passes(lease), "who has released is no holder"

    @rule(writer=WRITERS)
    def checks_and_names(self, writer: int) -> None:
        lease = self.hosts[writer].lease
        if lease and self.passes(lease):
            assert lease.token == max(self.tokens), "a fenced writer passed its check"
            self.named = max(self.named, lease.token)

    @rule(writer=WRITERS, stall=st.sampled_from([0, 241, 3600]))
    def stalls_between_check_and_name(self, writer: int, stall: int) -> None:
        """The window that remains: a naming by ``create`` still succeeds for one only."""
        lease = self.hosts[writer].lease
        if not (lease and self.passes(lease)):
            return
        self.time_passes(stall)
        self.claim(1 - writer)
        taken = self.store.info(NAME) is not None
        self.store.fault, self.store.before_next_write = "none", lambda: None
        try:
            self.store.create(NAME, str(lease.token).encode())
            assert not taken
        except ObjectExistsError:
            assert taken

    @precondition(lambda self: self.tokens)
    @rule(writer=WRITERS, days=st.sampled_from([0, 8]))
    def sweeps_and_claims(self, writer: int, days: int) -> None:
        """Where a record was removed the next token still has to be greater."""
        self.time_passes(days * 86400)
        self.hosts[writer].leases.sweep(timedelta(days=7))
        self.claim(writer)

    @rule()
    def both_claim_after_a_long_silence(self) -> None:
        """However far the clocks are apart: who dies does not block the others for ever."""
        self.store.fault, self.store.before_next_write = "none", lambda: None
        host = self.hosts[0]
        self.claim(0)
        self.time_passes(int(TTL.total_seconds() / host.speed) + 1)
        self.claim(0)
        assert host.lease is not None
        assert host.lease.token == max(self.tokens), "a dead holder kept its lease"

    @invariant()
    def never_two_holders(self) -> None:
        fault, self.store.fault = self.store.fault, "none"
        between, self.store.before_next_write = self.store.before_next_write, lambda: None
        found = {record.claim: record for record in self.hosts[0].leases.standing()}
        assert len(found) <= 1
        self.store.fault, self.store.before_next_write = fault, between

    def passes(self, lease: Lease) -> bool:
        """Whether the check passes; nobody else's may at the same moment."""
        try:
            lease.check()
        except (LeaseLostError, DependencyAwayError):
            return False
        others = [host.lease for host in self.hosts if host.lease and host.lease is not lease]
        for other in others:
            try:
                other.check()
            except (LeaseLostError, DependencyAwayError):
                continue
            raise AssertionError(f"two holders: tokens {lease.token} and {other.token}")
        return True


TestLeases = LeaseMachine.TestCase
TestLeases.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
