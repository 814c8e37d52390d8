"""Make the ledger anew from the journal of all events."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from services.request_desk.ledger.follower import LedgerFollower
from services.request_desk.ledger.store import SqlLedger
from shared.bus.journal import end_of_journal, read_journal
from shared.bus.settings import RabbitSettings


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """What a rebuild came to.

    Attributes
    ----------
    read
        Events that the journal held.
    otherwise
        Requests that come out otherwise when they are folded anew from what was kept.
    """

    read: int
    otherwise: int


def rebuild(
    ledger: SqlLedger, *, settings: RabbitSettings, empty: bool = False, tell: Callable[[int, int], None] | None = None
) -> Rebuilt:
    """Take every event of the journal in, and fold every request anew. It may run beside the desk.

    What the journal no longer holds stays as it is, unless the ledger is emptied first.

    Parameters
    ----------
    ledger
        The ledger.
    settings
        Where the broker is.
    empty
        Whether to forget first all that the ledger has, but the downloads.
    tell
        Is told how many events of how many were read.

    Raises
    ------
    DependencyAwayError
        If the broker or the database does not answer; what was read is kept, run it again.
    """
    end = end_of_journal(settings)
    if empty:
        ledger.clear()
    counted = (
        0 if end is None else _read(LedgerFollower(ledger=ledger), settings, end, tell or (lambda _read, _of: None))
    )
    return Rebuilt(read=counted, otherwise=len(ledger.fold_anew()))


def _read(follower: LedgerFollower, settings: RabbitSettings, end: int, tell: Callable[[int, int], None]) -> int:
    """Take all events up to a place."""
    read = 0
    with closing(read_journal(settings, follower, after=None)) as batches:
        for batch in batches:
            follower.take(batch)
            read += len(batch)
            place = batch[-1].offset
            assert place is not None, "every event of the journal has its place"
            tell(read, read + max(0, end - place))
            if place >= end:
                break
    return read
