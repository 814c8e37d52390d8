"""Removes from the store what nobody uses any more; what that is, `idle` decides."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from contracts.messages.parts import NamedRef
from services.request_desk.deliveries.idle import Idle, IdleRecord, Plan, Retention, Usage, Work, note_idle, plan
from services.request_desk.deliveries.register import Entry
from services.request_desk.deliveries.removal import Remover
from services.request_desk.deliveries.units import Kind, Unit, list_units, product_of, unit_of
from shared.objects import ObjectMissingError, ObjectStore
from shared.objects.lease import ALLOWED_SKEW, Leases

log = structlog.get_logger()

IDLE = "idle.json"
"""Key of the record of what is idle."""


@dataclass(frozen=True)
class Tidied:
    """What was done, or would be.

    Attributes
    ----------
    condemned
        Folders that nobody uses and that are removed after the grace.
    removed
        Folders that were removed, with their bytes.
    """

    condemned: tuple[str, ...] = ()
    removed: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class _Look:
    """What a look through the store showed: what was idle before, and what is to be done."""

    before: Mapping[str, Idle]
    plan: Plan


class Tidier:
    """Hides and removes units of the store.

    A product is removed only when no delivery that has not ended refers to it, no request under way
    needs its execution block and nobody works in its folder; and this twice: before
    it is hidden, and a while later before it is removed.

    Parameters
    ----------
    objects
        The store.
    leases
        Who works where.
    work
        Tells the requests that are under way.
    retention
        How long is kept what nobody uses.
    clock
        Tells the time, UTC.
    """

    def __init__(
        self,
        *,
        objects: ObjectStore,
        leases: Leases,
        work: Callable[[], Work],
        retention: Retention,
        clock: Callable[[], datetime],
    ) -> None:
        self._objects = objects
        self._leases = leases
        self._work = work
        self._retention = retention
        self._clock = clock
        self._remover = Remover(objects=objects, leases=leases)

    def tidy(self, entries: Callable[[], Sequence[Entry]]) -> Tidied:
        """Hide what is due, bring back what is used after all, and remove what was hidden long enough.

        Parameters
        ----------
        entries
            Reads the deliveries that are not over, as they are at the moment.
        """
        look = self._look(entries())
        self._remember(look.plan.idle)
        idle = dict(look.plan.idle)
        for unit in look.plan.reprieved:
            self._remover.bring_back(unit)
        for unit in look.plan.gone:
            self._remover.forget(unit)
        for unit in look.plan.condemned:
            self._hide(unit, look.before, idle)
        ready = [unit for unit in look.plan.removed if self._is_ready(unit, idle)]
        # Looked at once more: what somebody found before it was hidden is known by now.
        usage = self._usage(entries()) if ready else Usage()
        sizes = {unit.folder: self._remove(unit, usage, idle) for unit in ready}
        if idle != look.plan.idle:
            self._remember(idle)
        removed = tuple((folder, size) for folder, size in sizes.items() if size is not None)
        return Tidied(tuple(unit.folder for unit in look.plan.condemned), removed)

    def foretell(self, entries: Sequence[Entry]) -> Tidied:
        """Tell what would be hidden and removed; nothing is changed."""
        planned = self._look(entries).plan
        sizes = [(unit.folder, self._size(unit.folder)) for unit in planned.removed]
        return Tidied(tuple(unit.folder for unit in planned.condemned), tuple(sizes))

    def condemned(self) -> Callable[[NamedRef], bool]:
        """Return what tells whether a delivered file is about to be removed."""
        idle = self._remembered()

        def is_condemned(file: NamedRef) -> bool:
            one = idle.get(product_of(file.ref.key))
            return one is not None and one.condemned is not None

        return is_condemned

    def _look(self, entries: Sequence[Entry]) -> _Look:
        now, before, units = self._clock(), self._remembered(), list(list_units(self._objects))
        idle = note_idle(before, units, self._usage(entries), now=now, ended=_ended(entries))
        existing = {unit.folder for unit in units}
        return _Look(before, plan(before, idle, existing, self._unfinished(idle), self._retention, now=now))

    def _usage(self, entries: Iterable[Entry]) -> Usage:
        now = datetime.now(UTC)  # leases go by the clocks of their holders
        leased = {
            f"{record.key}/"
            for kind in (Kind.PRODUCT, Kind.ASDM)
            for record in self._leases.standing(f"{kind}/")
            if not record.is_over(now, ALLOWED_SKEW)
        }
        products = {
            product_of(file.ref.key) for entry in entries if not entry.state.closed for file in entry.manifest.files
        }
        return Usage(products=frozenset(products), work=self._work(), leased=frozenset(leased))

    def _unfinished(self, idle: Mapping[str, Idle]) -> set[str]:
        units = (unit_of(folder) for folder, one in idle.items() if one.condemned is None)
        return {unit.folder for unit in units if unit.manifest is not None and not self._remover.has_manifest(unit)}

    def _hide(self, unit: Unit, before: Mapping[str, Idle], idle: dict[str, Idle]) -> None:
        """Hide a condemned unit; what was made anew while it was hidden is idle no more."""
        known = before.get(unit.folder)
        if known is None or known.condemned is None:
            self._remover.hide(unit)
        else:
            self._is_ready(unit, idle)

    def _is_ready(self, unit: Unit, idle: dict[str, Idle]) -> bool:
        """Whether a condemned unit is hidden indeed; if its hiding was cut off, it begins anew."""
        if not self._remover.is_hidden(unit):
            self._remover.hide(unit)
            idle[unit.folder] = idle[unit.folder].model_copy(update={"condemned": self._clock()})
            return False
        if self._remover.is_made_anew(unit):
            self._remover.forget(unit)
            del idle[unit.folder]
            return False
        return True

    def _remove(self, unit: Unit, usage: Usage, idle: dict[str, Idle]) -> int | None:
        del idle[unit.folder]
        size = None if usage.uses(unit) else self._remover.remove(unit)
        if size is None:
            self._remover.bring_back(unit)
        return size

    def _remembered(self) -> dict[str, Idle]:
        try:
            return IdleRecord.model_validate_json(self._objects.get(IDLE)).units
        except ObjectMissingError:
            return {}

    def _remember(self, idle: Mapping[str, Idle]) -> None:
        self._objects.put_bytes(IDLE, IdleRecord(units=dict(idle)).model_dump_json().encode())

    def _size(self, folder: str) -> int:
        return sum(found.size for found in self._objects.list(folder))


def _ended(entries: Iterable[Entry]) -> dict[str, datetime]:
    """Tell which products were delivered by what has ended, and when they were last."""
    ended: dict[str, datetime] = {}
    for entry in entries:
        for file in entry.manifest.files if entry.state.closed else ():
            folder = product_of(file.ref.key)
            ended[folder] = max(entry.manifest.created, ended.get(folder, entry.manifest.created))
    return ended
