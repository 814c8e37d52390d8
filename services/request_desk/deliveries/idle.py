"""Decide what nobody uses any more and since when; and what is removed therefore.

A unit is *idle* from the moment at which it is first seen that nobody uses it. When it has been
idle for its retention it is *condemned*: its manifest is hidden, so that nobody finds it
for reuse. Only when a while after that still nobody uses it, it is removed: whoever had found it
just before has said so by then, and it is reprieved.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from services.request_desk.deliveries.units import Kind, Unit, unit_of


class Idle(BaseModel):
    """Since when nobody uses a unit, and since when it is condemned, if it is."""

    model_config = ConfigDict(frozen=True)

    since: datetime
    condemned: datetime | None = None


class IdleRecord(BaseModel):
    """All that is idle, by folder."""

    model_config = ConfigDict(frozen=True)

    units: dict[str, Idle] = {}


@dataclass(frozen=True, kw_only=True)
class Work:
    """Requests that have not ended.

    Attributes
    ----------
    requests
        Their ids.
    blocks, mous
        Their execution blocks and MOUSs, as in file names.
    """

    requests: frozenset[str] = frozenset()
    blocks: frozenset[str] = frozenset()
    mous: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Who uses what at a moment.

    Attributes
    ----------
    products
        Folders of the products that open deliveries refer to.
    work
        Requests under way.
    leased
        Folders that somebody works in.
    """

    products: frozenset[str] = frozenset()
    work: Work = field(default_factory=Work)
    leased: frozenset[str] = frozenset()

    def uses(self, unit: Unit) -> bool:
        """Whether somebody uses a unit."""
        if unit.folder in self.leased:
            return True
        match unit.kind:
            case Kind.PRODUCT:
                return unit.folder in self.products or unit.owner in self.work.blocks
            case Kind.PPR:
                made = f"{Kind.PRODUCT}/{unit.folder.partition('/')[2]}"
                return made in self.products or unit.owner in self.work.blocks
            case Kind.ASDM:
                return unit.owner in self.work.blocks
            case Kind.CALIBRATION:
                return unit.owner in self.work.mous
            case Kind.LOGS:
                return unit.owner in self.work.requests


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How long what nobody uses is kept.

    Attributes
    ----------
    kinds
        By kind.
    unfinished
        Of what has no manifest though its kind has one: results of attempts that failed.
    grace
        Between hiding and removing.
    """

    kinds: Mapping[Kind, timedelta]
    unfinished: timedelta
    grace: timedelta


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done.

    Attributes
    ----------
    idle
        What is idle now.
    condemned
        To be hidden, now or since before.
    reprieved
        Used again after all: to be found again.
    removed
        To be removed.
    gone
        Condemned ones that are not there any more.
    """

    idle: dict[str, Idle]
    condemned: tuple[Unit, ...] = ()
    reprieved: tuple[Unit, ...] = ()
    removed: tuple[Unit, ...] = ()
    gone: tuple[Unit, ...] = ()


def note_idle(
    idle: Mapping[str, Idle], units: Iterable[Unit], usage: Usage, *, now: datetime, ended: Mapping[str, datetime]
) -> dict[str, Idle]:
    """Note what is idle.

    Parameters
    ----------
    idle
        What was idle before.
    units
        All that there are.
    ended
        Products of deliveries that have ended, and when those had been made: they count as used then at last.

    Returns
    -------
    dict
        Those units that nobody uses.
    """
    unused = [unit for unit in units if not usage.uses(unit)]
    return {unit.folder: _idle(idle.get(unit.folder), ended.get(unit.folder, now), now) for unit in unused}


def _idle(before: Idle | None, since: datetime, now: datetime) -> Idle:
    since = min(since, now)
    if before is None:
        return Idle(since=since)
    return before if before.since <= since else before.model_copy(update={"since": since})


def plan(
    before: Mapping[str, Idle],
    idle: Mapping[str, Idle],
    existing: Set[str],
    unfinished: Set[str],
    retention: Retention,
    *,
    now: datetime,
) -> Plan:
    """Decide what is hidden and what is removed.

    Parameters
    ----------
    before
        What was idle at the last round.
    idle
        What is idle now.
    existing
        Folders of all units.
    unfinished
        Those without the manifest that their kind has, except for those whose manifest we hid.
    """
    after: dict[str, Idle] = {}
    condemned: list[Unit] = []
    removed: list[Unit] = []
    for folder, one in sorted(idle.items()):
        unit = unit_of(folder)
        if one.condemned is None and now - one.since >= _kept_for(unit, unfinished, retention):
            one = one.model_copy(update={"condemned": now})
        after[folder] = one
        if one.condemned is not None:
            (removed if now - one.condemned >= retention.grace else condemned).append(unit)
    others = [folder for folder, one in before.items() if one.condemned and folder not in idle]
    return Plan(
        idle=after,
        condemned=tuple(condemned),
        removed=tuple(removed),
        reprieved=tuple(unit_of(folder) for folder in others if folder in existing),
        gone=tuple(unit_of(folder) for folder in others if folder not in existing),
    )


def _kept_for(unit: Unit, unfinished: Set[str], retention: Retention) -> timedelta:
    kept = retention.kinds[unit.kind]
    return min(kept, retention.unfinished) if unit.folder in unfinished else kept
