"""Look after the deliveries in a thread: a round now and then, and what is to be said at once."""

import random
from collections.abc import Callable, Sequence
from functools import partial
from threading import Condition, Thread

import structlog

from contracts.envelope import Event
from services.request_desk.deliveries.expirer import Expirer
from services.request_desk.deliveries.register import Register
from services.request_desk.deliveries.saying import Voice
from shared.errors import RestoreError
from shared.objects.lease import LeaseHeldError

log = structlog.get_logger()

_STOPPED_WITHIN = 35.0
"""Seconds: longer than a publish waits for its confirmation."""


class DeliveryWatch:
    """Does rounds in a thread, and says what the renewal of a delivery has to tell.

    Parameters
    ----------
    register
        The deliveries.
    voice
        Says what stands in their states.
    expirer
        Does the rounds; None if other desks do them.
    period
        Seconds from one round to the next. The first comes after a random part of it, so that
        what was said while this desk was away is known before anything is removed.
    """

    def __init__(self, *, register: Register, voice: Voice, expirer: Expirer | None, period: float) -> None:
        self._register = register
        self._voice = voice
        self._expirer = expirer
        self._period = period
        self._changed = Condition()
        self._nudged: set[str] = set()
        self._stopping = False
        self._thread: Thread | None = None

    def nudge(self, token: str) -> None:
        """Say soon what is to be said of a delivery; if that fails, the next round says it."""
        with self._changed:
            self._nudged.add(token)
            self._changed.notify()

    def begin(self, publish: Callable[[Sequence[Event]], None]) -> None:
        """Begin to look after the deliveries."""
        self._voice.begin(publish)
        self._thread = Thread(target=self._run, name="deliveries", daemon=True)
        self._thread.start()

    def rest(self) -> None:
        """End it; a round under way is not waited for long, since it may be cut off anywhere."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_STOPPED_WITHIN)
            self._thread = None

    def _run(self) -> None:
        pause = random.uniform(0.5, 1.0) * self._period  # noqa: S311  (no secret: spreads replicas)
        while (nudged := self._wait(pause)) is not None:
            for token in nudged:
                self._guarded(partial(self._say, token))
            if not nudged:
                self._guarded(self._round)
                pause = self._period

    def _wait(self, pause: float) -> frozenset[str] | None:
        """Wait for a nudge or the end of the pause; return who nudged, or None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._nudged) or self._stopping, pause)
            nudged = frozenset(self._nudged)
            self._nudged.clear()
            return None if self._stopping else nudged

    def _say(self, token: str) -> None:
        entry = self._register.find(token)
        if entry is not None and entry.removed is None:
            self._voice.say(entry)

    def _round(self) -> None:
        if self._expirer is None:
            return
        report = self._expirer.run()
        if any((report.reminded, report.closed, report.ended, report.tidied.removed)):
            log.info(
                "deliveries_looked_through",
                reminded=len(report.reminded),
                closed=len(report.closed),
                ended=len(report.ended),
                removed=len(report.tidied.removed),
                bytes=sum(size for _, size in report.tidied.removed),
            )

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except LeaseHeldError as error:
            log.info("another_desk_looks_after_deliveries", by=error.record.owner)
        except RestoreError as error:
            log.warning("deliveries_not_looked_through", code=error.code, cause=str(error), tried_again_in=self._period)
        except Exception:  # one record that breaks something must not end the care of all others
            log.exception("deliveries_not_looked_through", tried_again_in=self._period)
