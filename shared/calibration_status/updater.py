"""Keep the local record current: a full pass now and then, and quick refreshes of what has left a trace.

A change of state leaves a row in STATE_CHANGES, and a moved release date differs
from the original one. New product files leave no trace: so a refresh looks again
at MOUSs that somebody waits for, and at some of those without calibration in
turn. Whatever else changes is found by the next full pass.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

import structlog

from shared.calibration_status.archive import ArchiveStatus
from shared.calibration_status.record import StatusRecord
from shared.calibration_status.settings import CalibrationStatusSettings
from shared.calibration_status.status import Change
from shared.not_restorable import NotRestorableYet, RefusedYet

log = structlog.get_logger()

_CHANGES, _FULL, _WATCH, _LAST_FULL = "state_changes", "full_pass", "without_calibration", "last_full_pass"


@dataclass
class Refreshed:
    """What a refresh did.

    Attributes
    ----------
    is_full
        Whether it was a full pass.
    read
        MOUSs that were read.
    changes
        Numbers of changes by kind.
    seconds
        How long it took.
    can_be_told
        Requests that were refused and whose MOUS can be restored now.
    """

    is_full: bool
    read: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    can_be_told: Sequence[RefusedYet] = ()


class Updater:
    """Refreshes the record from the archive's tables.

    Parameters
    ----------
    archive
        Reads the archive's tables.
    record
        Is kept current.
    waiting
        Knows who was refused because nothing could be restored yet.
    settings
        How much is read at a time, and how often.
    restore_manual
        Whether what was calibrated by hand is restored by its scripts, as the metadata-resolver's setting says.
    clock
        Tells the time, UTC.
    """

    def __init__(
        self,
        *,
        archive: ArchiveStatus,
        record: StatusRecord,
        waiting: NotRestorableYet,
        settings: CalibrationStatusSettings,
        restore_manual: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._archive = archive
        self._record = record
        self._waiting = waiting
        self._settings = settings
        self._restore_manual = restore_manual
        self._clock = clock

    def refresh(self, *, full: bool = False) -> Refreshed:
        """Refresh the record: fully if that is asked for or due, else by what has left a trace.

        A full pass that was interrupted is continued.

        Raises
        ------
        DependencyAwayError
            If the archive's database does not answer; what was read until then is recorded.
        """
        started = monotonic()
        done = self._full_pass() if full or self._full_is_due() else self._quick_pass()
        done.can_be_told = self._who_can_be_told()
        done.seconds = monotonic() - started
        log.info("calibration_status_refreshed", full=done.is_full, read=done.read, changes=dict(done.changes))
        return done

    def _full_is_due(self) -> bool:
        last = self._record.cursor(_LAST_FULL)
        if not last or self._record.cursor(_FULL):
            return True
        return (self._clock() - datetime.fromisoformat(last)).total_seconds() >= self._settings.full_every

    def _full_pass(self) -> Refreshed:
        done = Refreshed(is_full=True)
        after = self._record.cursor(_FULL)
        if not after:
            # Noted at the beginning: what changes during the pass is read again by the next refresh.
            self._record.move(_CHANGES, str(self._archive.last_change()))
        while page := self._archive.page(after, size=self._settings.page):
            found = self._archive.read(page)
            changes = self._record.update(page, found, cursor=(_FULL, page[-1]), after=after)
            _count(done, page, changes)
            after = page[-1]
        _count(done, (), self._record.remove_after(after))
        self._record.move(_FULL, "")
        self._record.move(_LAST_FULL, self._clock().isoformat())
        return done

    def _quick_pass(self) -> Refreshed:
        done = Refreshed(is_full=False)
        last = self._archive.last_change()
        seen = int(self._record.cursor(_CHANGES) or 0)
        watched = self._watched()
        wanted = {*self._archive.changed_since(seen - self._settings.overlap), *self._moved(), *watched}
        wanted |= {str(refused.request.mous_uid) for refused in self._waiting.all()}
        for page in _pages(sorted(wanted), self._settings.page):
            changes = self._record.update(page, self._archive.read(page))
            _count(done, page, changes)
        self._record.move(_CHANGES, str(max(seen, last)))
        self._record.move(_WATCH, watched[-1] if watched else "")
        return done

    def _moved(self) -> Iterator[str]:
        """Give the MOUSs whose release date was moved, or moved back, since it was recorded."""
        now, before = self._archive.moved_dates(), self._record.moved_dates()
        for uid in now.keys() | before.keys():
            if uid not in now or uid not in before or now[uid] != before[uid]:
                yield uid

    def _watched(self) -> list[str]:
        """Take the next MOUSs without calibration; after the last one the first comes again."""
        after, limit = self._record.cursor(_WATCH), self._settings.watch
        found = self._record.without_calibration(after, limit=limit)
        return found or self._record.without_calibration("", limit=limit)

    def _who_can_be_told(self) -> list[RefusedYet]:
        return [
            refused
            for refused in self._waiting.all()
            if self._record.is_restorable(refused.request.mous_uid, restore_manual=self._restore_manual)
        ]


def _count(done: Refreshed, page: Sequence[str], changes: Iterable[Change]) -> None:
    done.read += len(page)
    for change in changes:
        done.changes.update(change.kinds)
        if change.before is not None and not done.is_full:
            log.info("calibration_status_changed", mous_uid=change.before.mous_uid, kinds=change.kinds)


def _pages(uids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(uids), size):
        yield uids[start : start + size]
