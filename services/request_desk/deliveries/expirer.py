"""Ends deliveries whose time is over, and removes what nobody uses any more: one round after another."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from services.request_desk.deliveries.idle import Retention, Work
from services.request_desk.deliveries.life import DeliveryState, Terms, is_end_due, is_reminder_due
from services.request_desk.deliveries.register import Entry, Register
from services.request_desk.deliveries.removal import owner
from services.request_desk.deliveries.saying import Voice, closed, farewell, reminder, with_word
from services.request_desk.deliveries.tidier import Tidied, Tidier
from shared.objects import ObjectStore
from shared.objects.lease import Leases

log = structlog.get_logger()

LEASE = "expiry"
_TTL = timedelta(seconds=60)


@dataclass(frozen=True)
class Report:
    """What a round did, or would do; deliveries by their tokens.

    Attributes
    ----------
    reminded
        Deliveries whose users are reminded.
    closed
        Deliveries whose time is over.
    ended
        Closed deliveries that are done with, and said to be.
    tidied
        What was hidden and removed.
    """

    reminded: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    tidied: Tidied = field(default_factory=Tidied)


class Expirer:
    """Looks through all deliveries and all that lies in the store.

    A round may be killed anywhere: the next one goes on. Of several desks one does a round at a time.

    Parameters
    ----------
    objects
        The store.
    register
        The deliveries.
    voice
        Says what follows.
    work
        Tells the requests that are under way.
    terms
        How long deliveries are kept.
    retention
        How long is kept what nobody uses.
    clock
        Tells the time, UTC.
    """

    def __init__(
        self,
        *,
        objects: ObjectStore,
        register: Register,
        voice: Voice,
        work: Callable[[], Work],
        terms: Terms,
        retention: Retention,
        clock: Callable[[], datetime],
    ) -> None:
        self._objects = objects
        self._register = register
        self._voice = voice
        self._terms = terms
        self._clock = clock
        self._leases = Leases(objects=objects)
        self._tidier = Tidier(objects=objects, leases=self._leases, work=work, retention=retention, clock=clock)

    def run(self) -> Report:
        """Do a round.

        Raises
        ------
        LeaseHeldError
            If another desk does one just now.
        DependencyAwayError
            If store or ledger do not answer; the next round goes on.
        """
        with self._leases.held(LEASE, owner=owner(), ttl=_TTL) as lease:
            moved = self._look_at_deliveries()
            lease.check()
            tidied = self._tidier.tidy(self._entries)
            lease.check()
            return Report(
                reminded=_tokens(entry for before, entry in moved if before.reminded != entry.state.reminded),
                closed=_tokens(entry for before, entry in moved if before.closed != entry.state.closed),
                ended=self._end_deliveries([entry for _, entry in moved if entry.state.closed is not None]),
                tidied=tidied,
            )

    def foretell(self) -> Report:
        """Tell what the next rounds would do with all that is due at this moment; nothing is changed."""
        now, entries = self._clock(), self._entries()
        reminded = [entry for entry in entries if is_reminder_due(entry.manifest, entry.state, self._terms, now)]
        due = [entry for entry in entries if is_end_due(entry.state, now)]
        after = [replace(entry, state=closed(entry.state, now)) if entry in due else entry for entry in entries]
        return Report(reminded=_tokens(reminded), closed=_tokens(due), tidied=self._tidier.foretell(after))

    def _entries(self) -> list[Entry]:
        found = (self._register.find(token) for token in self._register.tokens())
        return [entry for entry in found if entry is not None and entry.removed is None]

    def _look_at_deliveries(self) -> list[tuple[DeliveryState, Entry]]:
        """Remind, close, and say what is unsaid; return what is not just open, before and after."""
        moved = []
        for token in list(self._register.tokens()):
            entry = self._register.find(token)
            if entry is None:
                continue
            if entry.removed is not None:
                self._register.clear(token)
            elif (after := self._looked_at(entry)) is not None:
                moved.append((entry.state, after))
        return moved

    def _looked_at(self, entry: Entry) -> Entry | None:
        """Do to a delivery what the time does; return it if anything is to be done with it."""
        if self._moved_on(entry) == entry.state and not entry.state.unsaid and entry.state.closed is None:
            return None
        after = self._register.change(entry.manifest.token, self._moved_on)
        if after is not None:
            self._voice.say(after)
            if after.state.closed != entry.state.closed:
                log.info("delivery_closed", request_id=str(entry.manifest.request.request_id))
        return after

    def _moved_on(self, entry: Entry) -> DeliveryState:
        """Decide what the time does to a delivery."""
        now, manifest, state = self._clock(), entry.manifest, entry.state
        if is_end_due(state, now):
            return closed(state, now)
        if is_reminder_due(manifest, state, self._terms, now):
            due = state.expires.isoformat()
            state = state.model_copy(update={"reminded": state.expires})
            return with_word(state, reminder(manifest, state), key=due, request_id=manifest.request.request_id)
        return state

    def _end_deliveries(self, entries: Iterable[Entry]) -> tuple[str, ...]:
        """Say the end of closed deliveries of which nothing is to be removed any more, and forget them."""
        ended, is_condemned = [], self._tidier.condemned()
        for entry in entries:
            if any(map(is_condemned, entry.manifest.files)):
                continue
            told = self._register.change(entry.manifest.token, self._with_farewell)
            if told is not None and self._voice.say(told):
                self._register.end(replace(told, state=told.state.model_copy(update={"unsaid": ()})), now=self._clock())
                ended.append(told)
        return _tokens(ended)

    def _with_farewell(self, entry: Entry) -> DeliveryState:
        manifest, state = entry.manifest, entry.state
        if state.farewell:
            return state
        removed = [file.name for file in manifest.files if self._objects.info(file.ref.key) is None]
        word = farewell(manifest, removed=removed)
        state = state.model_copy(update={"farewell": True})
        return with_word(state, word, key="end", request_id=manifest.request.request_id)


def _tokens(entries: Iterable[Entry]) -> tuple[str, ...]:
    return tuple(entry.manifest.token for entry in entries)
