"""Takes every event from the journal into the ledger."""

from collections.abc import Sequence

import structlog

from contracts.envelope import Event, UndecodableEventError
from services.request_desk.ledger.store import SqlLedger
from shared.bus.following import Place, Said
from shared.errors import RestoreError

log = structlog.get_logger(__name__)


class LedgerFollower:
    """Feeds a ledger; what cannot be read or taken in is kept aside, and the rest goes on.

    Parameters
    ----------
    ledger
        Takes the events, and remembers how far the journal was read.
    """

    def __init__(self, *, ledger: SqlLedger) -> None:
        self._ledger = ledger

    def position(self) -> Place | None:
        """Return the place of the last event that the ledger has."""
        return self._ledger.place()

    def begin_anew(self) -> None:
        """Forget the place."""
        self._ledger.forget_place()

    def miss(self, first: int, last: int) -> None:
        """Note what is gone."""
        log.error("ledger_missed_events", number=last - first + 1, consequence="requests may lack some of their events")
        self._ledger.note_missed(first, last)

    def take(self, said: Sequence[Said]) -> None:
        """Take events in, all in one transaction; one by one if that fails."""
        read = [(each, event) for each in said if (event := self._read(each.body)) is not None]
        place = said[-1].place
        try:
            self._ledger.record_all([event for _, event in read], place=place)
        except RestoreError:
            raise
        except Exception:  # a fault of ours in one event must not keep all others out
            log.exception("ledger_takes_events_one_by_one", number=len(read))
            for each, event in read:
                self._take_alone(each, event)
            self._ledger.record_all((), place=place)

    def _read(self, body: bytes) -> Event | None:
        try:
            return Event.decode(body)
        except (UndecodableEventError, RecursionError, TypeError) as error:
            log.warning("ledger_cannot_read_event", reason=str(error), consequence="it is kept aside")
            self._ledger.note_unreadable(body, str(error))
            return None

    def _take_alone(self, said: Said, event: Event) -> None:
        try:
            self._ledger.record_all([event])
        except RestoreError:
            raise
        except Exception as error:  # kept aside for a person, with its reason
            log.exception("ledger_cannot_take_event", message_id=str(event.id), request_id=str(event.correlationid))
            self._ledger.note_unreadable(said.body, repr(error))
