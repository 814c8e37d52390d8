"""Carry out the command ``refresh``: bring the record up to date, then have those told who waited."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from enum import Enum
from typing import Protocol

from alma_restore.surroundings import deployment_bus
from contracts.envelope import Event
from contracts.identifiers import MousUid
from services.metadata_resolver.settings import RestorableSettings
from shared.archive_db import ArchiveDatabase, ArchiveDbSettings
from shared.bus import Bus
from shared.calibration_status import CalibrationStatusSettings, Refreshed, StatusRecord, Updater
from shared.calibration_status.archive import ArchiveStatus
from shared.logs import configure_logs
from shared.not_restorable import NotRestorableYet, RefusedYet, ToldBy, tell
from shared.objects import open_store
from shared.settings import StoreAccess


class Telling(Enum):
    """Who tells users that their MOUS can be restored; the values are what is shown above their names."""

    BY_EVENT = "Can be restored now: they are told by mail"
    BY_PERSON = "Can be restored now: noted as told"
    NOBODY = "Can be restored now: tell them"


class RefreshOnce(Protocol):
    """Refreshes the record once."""

    def __call__(self, *, full: bool) -> Refreshed:
        """Refresh, and have told whom a restore is possible for now.

        Raises
        ------
        DependencyAwayError
            If archive, store or bus do not answer; what was done until then stays done.
        """


class LateBus:
    """The deployment's bus, connected when somebody is first to be told and kept from then on."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._bus: Bus | None = None

    def publish(self, events: Sequence[Event]) -> None:
        """Publish, with a connection made at the first time."""
        if self._bus is None:
            self._bus = self._stack.enter_context(deployment_bus())
        self._bus.publish(events)


def restorable(mous_uids: Sequence[MousUid]) -> dict[MousUid, bool | None]:
    """Tell of MOUSs whether they could be restored when the record was last refreshed; None: not known there.

    Raises
    ------
    MisconfiguredError
        If there is no record.
    """
    manual = RestorableSettings().restore_manual
    with closing(StatusRecord(CalibrationStatusSettings().path, must_exist=True)) as record:
        return {uid: record.is_restorable(uid, restore_manual=manual) for uid in mous_uids}


@contextmanager
def refresher(*, telling: Telling) -> Iterator[RefreshOnce]:
    """Open archive, record and store as the environment names them, for one refresh or many."""
    configure_logs(form="text", level="WARNING", stream=sys.stderr)
    with ExitStack() as stack:
        settings = CalibrationStatusSettings()
        database = stack.enter_context(closing(ArchiveDatabase(settings=ArchiveDbSettings())))
        record = stack.enter_context(closing(StatusRecord(settings.path)))
        waiting = NotRestorableYet(objects=stack.enter_context(closing(open_store(StoreAccess().store))))
        archive = ArchiveStatus(database=database, delivery_column=settings.delivery_column)
        manual = RestorableSettings().restore_manual  # who refuses and who tells go by one setting
        updater = Updater(archive=archive, record=record, waiting=waiting, settings=settings, restore_manual=manual)
        bus = LateBus(stack)

        def refresh_once(*, full: bool) -> Refreshed:
            done = updater.refresh(full=full)
            _have_told(waiting, done.can_be_told, telling, bus)
            return done

        yield refresh_once


def _have_told(waiting: NotRestorableYet, refused: Sequence[RefusedYet], telling: Telling, bus: LateBus) -> None:
    match telling:
        case Telling.BY_EVENT:
            tell(waiting, refused, publish=bus.publish, clock=_now)
        case Telling.BY_PERSON:
            for each in refused:
                waiting.record_told(each, by=ToldBy.PERSON, when=_now())
        case Telling.NOBODY:
            pass


def _now() -> datetime:
    return datetime.now(UTC)
