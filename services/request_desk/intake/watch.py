"""Watch the directory of trigger files in a thread: woken by inotify where it works, else by the clock."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Condition, Thread
from typing import Literal

import structlog
from watchdog.events import FileClosedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers.inotify import InotifyObserver

from services.request_desk.intake.triggers import Publish, Triggers
from shared.errors import MisconfiguredError, RestoreError

log = structlog.get_logger()

Watching = Literal["auto", "inotify", "polling"]
_STOPPED_WITHIN = 35.0
"""Seconds: longer than a publish waits for its confirmation."""


class _Noticed(FileSystemEventHandler):
    """Tells of changes in the directory."""

    def __init__(self, notice: Callable[[str | None], None]) -> None:
        self._notice = notice

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Tell of a change, and of which file if it was closed after writing or moved here."""
        path = event.dest_path if event.event_type == "moved" else event.src_path
        is_whole = isinstance(event, FileClosedEvent) or event.event_type == "moved"
        if event.event_type not in {"opened", "closed_no_write"}:
            self._notice(Path(str(path)).name if is_whole else None)


class TriggerWatch:
    """Looks through the trigger files whenever something happens, and every few seconds anyway.

    Inotify only wakes: a change that it misses (a directory mounted anew, a queue that
    ran over, another host's writing) is found by the next look.

    Parameters
    ----------
    triggers
        What to look through.
    root
        The directory.
    watching
        How to notice changes.
    period
        Seconds between looks.
    settle
        Seconds until the next look while a file may be being written.
    """

    def __init__(self, *, triggers: Triggers, root: Path, watching: Watching, period: float, settle: float) -> None:
        self._triggers = triggers
        self._root = root
        self._watching = watching
        self._period = period
        self._settle = max(settle, 0.05)
        self._changed = Condition()
        self._is_woken = False
        self._stopping = False
        self._closed: set[str] = set()
        self._thread: Thread | None = None
        self._observer: InotifyObserver | None = None

    def begin(self, publish: Publish) -> None:
        """Begin to watch.

        Raises
        ------
        MisconfiguredError
            If inotify is insisted on and does not work.
        """
        self._observe()
        self._thread = Thread(target=self._run, args=(publish,), name="triggers", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look through the files now."""
        self._notice(None)

    def rest(self) -> None:
        """End the watching; a look that is under way is finished."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._observer is not None:
            with suppress(RuntimeError):
                self._observer.stop()
                self._observer.join(_STOPPED_WITHIN)
            self._observer = None
        if self._thread is not None:
            self._thread.join(_STOPPED_WITHIN)
            self._thread = None

    def _observe(self) -> None:
        if self._watching == "polling":
            return
        observer = InotifyObserver()
        try:
            observer.schedule(_Noticed(self._notice), str(self._root))
            observer.start()
        except OSError as error:
            if self._watching == "inotify":
                raise MisconfiguredError(
                    f"inotify does not work on {self._root}: {error}; make the directory, raise fs.inotify.max_user_*, "
                    "or set ALMA_RESTORE_REQUEST_DESK_WATCHING=polling"
                ) from error
            log.warning("inotify_does_not_work_polling_instead", directory=str(self._root), reason=str(error))
        else:
            self._observer = observer

    def _notice(self, closed: str | None) -> None:
        with self._changed:
            if closed is not None:
                self._closed.add(closed)
            self._is_woken = True
            self._changed.notify()

    def _run(self, publish: Publish) -> None:
        pause = 0.0
        while (closed := self._wait(pause)) is not None:
            pause = self._settle if self._look(publish, closed) else self._period

    def _wait(self, pause: float) -> frozenset[str] | None:
        """Wait for a change or the end of the pause; return what was closed, or None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_woken or self._stopping, pause)
            closed = frozenset(self._closed)
            self._closed.clear()
            self._is_woken = False
            return None if self._stopping else closed

    def _look(self, publish: Publish, closed: frozenset[str]) -> bool:
        try:
            return self._triggers.look_through(publish, closed=closed)
        except RestoreError as error:
            log.warning("triggers_wait", code=error.code, reason=str(error))
        except Exception:  # a file that breaks something must not end the watching of all others
            log.exception("triggers_not_looked_through")
        return False
