"""What the ledger promises to those who read it and to those who feed it.

* What it tells of a request depends only on the set of events that it has: not on their
  order, and not on how often each came.
* `record` has returned: the event and all that follows from it last, and `watch`ers
  of this process have been told. Watchers in other processes hear of it within half a second.
* Reading is cheap (well below a millisecond for one request on SQLite) and safe from
  any thread; it never waits for writing.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from contracts.envelope import Event
from services.request_desk.ledger.records import (
    Counts,
    DownloadRecord,
    IllegalMove,
    Page,
    RequestFilter,
    RequestPage,
    RequestRecord,
    StuckRequest,
    TimelineEvent,
    UnreadableEvent,
)

Watcher = Callable[[UUID, int], None]
"""Is told the id of a request that changed and the number of the change, in a thread of the ledger: be quick."""


class Ledger(Protocol):
    """Keeps what was said about requests and what follows from it."""

    def record(self, event: Event) -> bool:
        """Take an event in; tell whether it was new.

        Raises
        ------
        DependencyAwayError
            If the database does not answer; nothing was taken in then.
        """

    def request(self, request_id: UUID) -> RequestRecord | None:
        """Return a request, or None if nothing was ever said about it."""

    def requests(self, wanted: RequestFilter | None = None, page: Page | None = None) -> RequestPage:
        """List requests, the newest submitted first."""

    def timeline(self, request_id: UUID) -> tuple[TimelineEvent, ...]:
        """Return all events of a request in the order in which they follow from each other.

        Of progress and of waiting only the newest of each block and service is kept.
        """

    def event(self, event_id: UUID) -> Event | None:
        """Return an event as it was said, if it is kept."""

    def unfinished(self, request_id: UUID) -> tuple[UUID, ...]:
        """List the events of a request that nothing followed yet: what `acting.try_now` sends on again."""

    def counts(self) -> Counts:
        """Count requests and blocks by state and step."""

    def under_way(self) -> Mapping[str, int]:
        """Count the requests that are under way by whose they are: account, or e-mail address in lower case."""

    def rates(self, since: datetime) -> Mapping[str, int]:
        """Count the events that were said since a moment, by topic; of repeated words only the kept one counts."""

    def delivery_seconds(self, since: datetime) -> tuple[float, ...]:
        """Tell how long requests took that were delivered since a moment: the newest thousand, in no order."""

    def stuck(self) -> tuple[StuckRequest, ...]:
        """List the requests for which nothing went forward for longer than their step may take, longest first."""

    def waiting_since(self) -> Mapping[str, datetime]:
        """Tell when the oldest event was said that waits for each service; nothing of one that none waits for."""

    def illegal_moves(self, limit: int = 100) -> tuple[IllegalMove, ...]:
        """List events that were recorded but not applied, the newest first."""

    def unreadable(self) -> tuple[UnreadableEvent, ...]:
        """List what came and could not be taken in, the newest first."""

    def last_change(self) -> int:
        """Return the number of the newest change."""

    def changes(self, since: int, *, limit: int = 1000) -> Sequence[tuple[int, UUID]]:
        """List which requests changed after a change: number and id, each request once, by number."""

    def watch(self, watcher: Watcher, *, request_id: UUID | None = None) -> Callable[[], None]:
        """Call a watcher after each change of a request (of any if None); what is returned ends that.

        It costs nothing while nothing changes: a thousand may wait in one process.
        """

    async def wait(self, request_id: UUID, *, since: int, timeout: float) -> RequestRecord | None:
        """Wait until a request has changed after change ``since``, or for so many seconds; return it as it is then.

        Returns at once if it has changed already. Waits without a thread: call it from an event loop.
        """

    def note_download(self, download: DownloadRecord) -> None:
        """Note that a download begins."""

    def downloads(self, request_id: UUID) -> tuple[DownloadRecord, ...]:
        """List the downloads of a request, oldest first."""

    def now(self) -> datetime:
        """Return the time that the ledger goes by."""

    def is_ready(self) -> bool:
        """Whether the database answers."""

    def close(self) -> None:
        """Release the database and end all watching."""
