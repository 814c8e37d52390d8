"""Whatever is delivered, renewed, kept, killed and waited for: what is used stays, and what is not goes."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.manifests import DeliveryManifest
from contracts.messages import DeliveryExpired
from contracts.messages.parts import NamedRef
from services.request_desk.deliveries.base import DeliveryError, DeliveryPhase
from services.request_desk.deliveries.idle import Work
from shared.objects import ObjectStore
from shared.objects.directory import DirectoryStore
from tests.support.deliveries import SETTINGS, DeliverySite, block_of

PRODUCTS = 4
SHORT = SETTINGS.model_copy(update={"product_days": 2, "staged_days": 2})
FOUR_ROUNDS = timedelta(hours=12)
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None


class KilledError(BaseException):
    """The process is gone: nothing of it is handled."""


class KillableStore:
    """A real store, for a process that is killed at its n-th change of the store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.changes_left: int | None = None

    def __getattr__(self, name: str) -> Callable[..., object]:
        work: Callable[..., object] = getattr(self._store, name)
        return self._counted(work) if name in ("put", "put_bytes", "create", "replace", "delete") else work

    def _counted(self, work: Callable[..., object]) -> Callable[..., object]:
        def change(*given: object, **named: object) -> object:
            if self.changes_left is not None:
                self.changes_left -= 1
                if self.changes_left < 0:
                    raise KilledError
            return work(*given, **named)

        return change


@dataclass
class Delivered:
    """What the test knows of a delivery: its own account of until when it must stand."""

    manifest: DeliveryManifest
    numbers: list[int]
    expires: datetime
    kept: bool = False
    files: list[NamedRef] = field(default_factory=list)


class Expiring(RuleBasedStateMachine):
    """Products that are shared by deliveries, and everything that may happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY))
        self.store = KillableStore(DirectoryStore(self.folder / "objects"))
        self.site = DeliverySite(self.store, settings=SHORT)  # type: ignore[arg-type]  # it gives on what it is asked
        self.products: dict[int, NamedRef] = {}
        self.delivered: list[Delivered] = []

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(numbers=st.sets(st.integers(0, PRODUCTS - 1)))
    def some_products_are_there(self, numbers: set[int]) -> None:
        for number in numbers:
            self.restore(number)

    @rule(number=st.integers(0, PRODUCTS - 1))
    def restore(self, number: int) -> None:
        """Restore unless the product would be found, as a runner does."""
        found = self.products.get(number)
        if found is None or not self.is_found(found):
            self.products[number] = self.site.product(number)

    @rule(numbers=st.sets(st.integers(0, PRODUCTS - 1), min_size=1), days=st.sampled_from([1, 10, 28]))
    def deliver(self, numbers: set[int], days: int) -> None:
        for number in numbers:
            self.restore(number)
        files = [self.products[number] for number in sorted(numbers)]
        manifest = self.site.deliver(len(self.delivered), files, days=days)
        self.delivered.append(Delivered(manifest, sorted(numbers), manifest.expires, files=files))

    @rule(data=st.data(), days=st.sampled_from([None, 5, 40]))
    def renew(self, data: st.DataObject, days: int | None) -> None:
        if self.delivered:
            one = data.draw(st.sampled_from(self.delivered))
            until = None if days is None else self.site.now + timedelta(days=days)
            try:
                one.expires = self.site.desk.renew(one.manifest.token, by="vrubin", until=until).expires
            except DeliveryError:
                return

    @rule(data=st.data(), kept=st.booleans())
    def keep(self, data: st.DataObject, kept: bool) -> None:
        if self.delivered:
            one = data.draw(st.sampled_from(self.delivered))
            try:
                one.kept = self.site.desk.keep(one.manifest.token, by="operator", kept=kept).kept is not None
            except DeliveryError:
                return

    @rule(days=st.sampled_from([0.05, 0.2, 1, 9, 30]))
    def wait(self, days: float) -> None:
        self.site.later(days=days)

    @rule(rounds=st.integers(1, 4), hours=st.sampled_from([1, 3, 30]))
    def look_through(self, rounds: int, hours: int) -> None:
        for _ in range(rounds):
            self.site.rounds(1, hours=hours)
            self.what_an_open_delivery_uses_is_there()

    @rule(changes=st.integers(0, 25))
    def be_killed_while_looking_through(self, changes: int) -> None:
        self.store.changes_left = changes
        try:
            self.site.another_expirer().run()
        except KilledError:
            pass
        finally:
            self.store.changes_left = None
        for info in list(self.store._store.list("leases/")):
            self.store._store.delete(info.key)  # as if the dead one's leases had run out

    @rule(away=st.booleans())
    def the_bus_goes_or_comes(self, away: bool) -> None:
        self.site.bus_is_away = away

    @rule(number=st.integers(0, PRODUCTS), working=st.booleans())
    def somebody_works(self, number: int, working: bool) -> None:
        self.site.work = Work(blocks=frozenset({block_of(number).file_form} if working else ()))

    @invariant()
    def what_an_open_delivery_uses_is_there(self) -> None:
        for one in self.delivered:
            if one.kept or self.site.now < one.expires:
                assert self.site.desk.find(one.manifest.token).phase is DeliveryPhase.OPEN
                assert all(self.site.has(file) for file in one.files)
            else:
                assert self.site.desk.find(one.manifest.token).phase is not DeliveryPhase.OPEN

    @rule()
    def in_the_end_all_that_is_not_used_goes(self) -> None:
        self.site.bus_is_away, self.site.work = False, Work()
        self.site.rounds(1)
        self.site.later(days=SHORT.staged_days + SHORT.product_days)
        while any(self.ends_within(FOUR_ROUNDS, one) for one in self.delivered):
            self.site.later(days=1)  # what ends while they go on is not gone after them
        self.site.rounds(4)
        open_ones = [one for one in self.delivered if one.kept or self.site.now < one.expires]
        used = {file.ref.key for one in open_ones for file in one.files}
        assert {key for key in self.site.keys("products/") if key.endswith(".tar")} == used
        assert len(list(self.site.register.tokens())) == len(open_ones)
        assert self.site.keys("hidden/") == []
        said = [message for message in self.site.messages() if isinstance(message, DeliveryExpired)]
        assert len(said) == len(self.delivered) - len(open_ones)

    def ends_within(self, time: timedelta, one: Delivered) -> bool:
        return not one.kept and self.site.now < one.expires <= self.site.now + time

    def is_found(self, file: NamedRef) -> bool:
        """Whether a runner would find a product: its manifest and its tar."""
        folder = file.ref.key.rsplit("/", 2)[0]
        return self.site.objects.info(f"{folder}/manifest.json") is not None and self.site.has(file)


TestExpiring = Expiring.TestCase
TestExpiring.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
