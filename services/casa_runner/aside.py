"""Words that nobody waits for: said from a thread of their own, so that who works never waits for the bus."""

from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from threading import Condition, Thread
from types import TracebackType
from typing import Self

import structlog

from contracts.envelope import Event
from shared.errors import RestoreError

log = structlog.get_logger()
_MOST_WAITING = 8
_LAST_WORDS = 2.0


class Aside:
    """Says words in their order while its context lasts, and drops what the bus does not take in time.

    While the bus confirms nothing, a new word takes the place of the newest that waits: the first words, of which
    one says that the work began, and the latest state are what is kept. At its end it waits two seconds at most.

    Parameters
    ----------
    publish
        Publishes events, and may wait for that.
    """

    def __init__(self, *, publish: Callable[[Sequence[Event]], None]) -> None:
        self._publish = publish
        self._waiting: deque[Event] = deque()
        self._changed = Condition()
        self._ending = False
        # With the caller's context, so that its logs and traces say whose words these are.
        self._thread = Thread(target=copy_context().run, args=(self._run,), name="aside", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(_LAST_WORDS)
        with self._changed:
            self._waiting.clear()

    def say(self, word: Event) -> None:
        """Have a word said soon; it is no error if it cannot be."""
        with self._changed:
            if len(self._waiting) == _MOST_WAITING:
                self._waiting.pop()
            self._waiting.append(word)
            self._changed.notify()

    def _run(self) -> None:
        while (word := self._next()) is not None:
            try:
                self._publish([word])
            except RestoreError as error:
                # Nobody's work depends on a word of progress; the outcome is published with confirms.
                log.warning("progress_unsaid", topic=word.topic, cause=str(error))
            except Exception:  # the thread must outlive anything, or the rest would not be said
                log.exception("progress_unsaid", topic=word.topic)

    def _next(self) -> Event | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending)
            return self._waiting.popleft() if self._waiting else None
