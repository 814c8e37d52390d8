"""Take trigger files: submit each once, and remove it when its request's mail is out."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

import structlog

from contracts.envelope import Event
from contracts.messages import RequestSubmitted
from contracts.messages.parts import RestoreRequest
from services.request_desk.intake.directory import NotAllowedError, Stamp, TriggerDirectory
from services.request_desk.intake.metrics import Stuck, TriggerMetrics
from services.request_desk.intake.trigger_file import (
    LONGEST,
    UnreadableTriggerError,
    looks_finished,
    read_trigger,
    request_id_of,
)
from shared import keys
from shared.ends import is_over
from shared.errors import RestoreError
from shared.objects import ObjectExistsError, ObjectStore

log = structlog.get_logger()

Publish = Callable[[Sequence[Event]], None]


@dataclass
class _Known:
    """What this process knows of a file: since when it has not changed, and what it has become."""

    stamp: Stamp
    since: float
    request_id: UUID | None = None


class Triggers:
    """Looks through the directory of trigger files; what it remembers only saves it work.

    All that has to last is in the directory and in the store: a file that lies there is
    a request whose mail is not out. So a process that is killed anywhere is followed by
    one that goes on, and a file is never read as another request than before.

    Parameters
    ----------
    directory
        Where the files are.
    objects
        Knows which were submitted and which requests have ended.
    source
        Who submits.
    settle
        Seconds that a file must not have changed, unless it was closed.
    patience
        Seconds after which a file without its end is taken as it is.
    metrics
        Counts what becomes of files.
    now
        Tells a time that never goes back, in seconds.
    """

    def __init__(
        self,
        *,
        directory: TriggerDirectory,
        objects: ObjectStore,
        source: str,
        settle: float,
        patience: float,
        metrics: TriggerMetrics,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._objects = objects
        self._source = source
        self._settle = settle
        self._patience = patience
        self._metrics = metrics
        self._now = now
        self._stuck: Counter[Stuck] = Counter()
        self._known: dict[str, _Known] = {}

    def look_through(self, publish: Publish, *, closed: frozenset[str] = frozenset()) -> bool:
        """Take what can be taken and remove what is done.

        Parameters
        ----------
        publish
            Says events; returns when they are kept.
        closed
            Names of files that were closed by their writer since the last time.

        Returns
        -------
        bool
            Whether a file may still be being written: look again soon.

        Raises
        ------
        DependencyAwayError
            If directory, store or bus do not answer; nothing is lost, look again later.
        """
        files = self._directory.files()
        self._known = {name: known for name, known in self._known.items() if name in files}
        self._stuck.clear()
        waiting = [self._waits(name, stamp, publish, name in closed) for name, stamp in files.items()]
        self._metrics.show_stuck(self._stuck)
        return any(waiting)

    def _waits(self, name: str, stamp: Stamp, publish: Publish, closed: bool) -> bool:
        """Take a file if it is time; trouble that is this file's alone keeps no other back."""
        try:
            return self._is_kept_back(name, stamp, publish, closed)
        except NotAllowedError as error:
            self._stuck[Stuck.NOT_ALLOWED] += 1
            log.warning("trigger_stays", name=name, reason=str(error))
        except RestoreError:
            raise
        except Exception:  # a fault of ours that one file brings out
            self._stuck[Stuck.FAULT] += 1
            log.exception("trigger_not_taken", name=name)
        return False

    def _is_kept_back(self, name: str, stamp: Stamp, publish: Publish, closed: bool) -> bool:
        known = self._known.get(name)
        if known is None or known.stamp != stamp:
            known = self._known[name] = _Known(stamp=stamp, since=self._now())
        if known.request_id is not None:
            self._remove_if_over(name, known.request_id)
            return False
        unchanged = self._now() - known.since
        if unchanged < self._settle and not closed:
            return True
        try:
            data = self._directory.read(name, LONGEST + 1)
        except NotAllowedError as error:
            self._reject(name, str(error))
            return False
        if data is not None and not looks_finished(data) and unchanged < self._patience:
            return True
        if data is not None:
            self._take(name, data, known, publish)
        return False

    def _take(self, name: str, data: bytes, known: _Known, publish: Publish) -> None:
        try:
            request = read_trigger(name, data)
        except UnreadableTriggerError as error:
            self._reject(name, str(error))
            return
        if not is_over(self._objects, request.request_id):
            self._submit(name, request, publish)
        known.request_id = request.request_id
        self._remove_if_over(name, request.request_id)

    def _reject(self, name: str, reason: str) -> None:
        target = self._directory.reject(name, reason)
        self._metrics.rejected()
        log.warning("trigger_rejected", name=name, moved_to=str(target), reason=reason)

    def _submit(self, name: str, request: RestoreRequest, publish: Publish) -> None:
        """Submit a request unless it was; killed in between it is submitted again, with the same ids."""
        key = keys.trigger(request.request_id)
        if self._objects.info(key) is not None:
            return
        event_id = uuid5(request.request_id, RequestSubmitted.topic)
        publish([Event.first(RequestSubmitted(request=request), source=self._source, event_id=event_id)])
        try:
            self._objects.create(key, name.encode())
        except ObjectExistsError:
            log.info("trigger_submitted_by_two", name=name)
        self._metrics.submitted()
        log.info("trigger_submitted", name=name, request_id=str(request.request_id), mous_uid=request.mous_uid)

    def _remove_if_over(self, name: str, request_id: UUID) -> None:
        if not is_over(self._objects, request_id):
            return
        data = self._directory.read(name, LONGEST + 1)
        if data is not None and request_id_of(name, data) == request_id:
            self._directory.remove(name)
            log.info("trigger_removed", name=name, request_id=str(request_id))
