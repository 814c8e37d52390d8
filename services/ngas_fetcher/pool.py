"""The threads that transfer files: bounded in number, per host and in memory, and fair between requests.

Each request has a group of its own. A free thread goes to the group with the fewest
transfers at work, and of those to the one that was served longest ago; within a group
the hosts take turns. No group takes all threads, all memory or all that a host is asked
at a time: what one large file of each other request needs is left, so that a request of
hundreds of gigabytes does not hold up one of a few.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any, Generic, TypeVar

from services.ngas_fetcher.hosts import HostSlots
from shared.objects.parts import upload_bytes

T = TypeVar("T")
MIB = 1 << 20
_CHUNKS_WAITING = 16 * MIB
LARGE_TRANSFER = upload_bytes(0) + _CHUNKS_WAITING
"""Bytes that one transfer of a large file holds: parts of an upload, and the chunks that wait for it."""

_LOOK = 0.2


def memory_of(size: int) -> int:
    """Bytes of memory that the transfer of a file of this size may hold; beyond 156 GiB parts have to be larger."""
    return min(2 * size + MIB // 2, upload_bytes(size) + _CHUNKS_WAITING)


@dataclass(frozen=True, kw_only=True)
class Job(Generic[T]):
    """Something to do in the pool.

    Attributes
    ----------
    work
        What to do.
    host
        The host that is asked first, if any.
    memory
        Bytes that it may hold.
    """

    work: Callable[[], T]
    host: str | None = None
    memory: int = MIB


@dataclass(eq=False)
class _Waiting:
    job: Job[Any]
    future: Future[Any]
    context: Context


@dataclass(eq=False)
class Group:
    """The jobs of one request."""

    pool: "TransferPool"
    waiting: dict[str | None, deque[_Waiting]] = field(default_factory=dict)
    at_work: int = 0
    memory: int = 0
    served: int = 0
    at_hosts: Counter[str] = field(default_factory=Counter)

    def submit(self, job: Job[T]) -> Future[T]:
        """Have a job done by one of the pool's threads, with this thread's context."""
        return self.pool.submit(self, job)


class TransferPool:
    """Threads that do the jobs of several requests.

    Parameters
    ----------
    threads
        Jobs done at a time.
    hosts
        Tells whether a host can be asked now.
    memory
        Bytes that all jobs together may hold.
    requests
        Requests that are handled side by side; each keeps room for one transfer, also at each host.
    """

    def __init__(self, *, threads: int, hosts: HostSlots, memory: int, requests: int = 1) -> None:
        self._hosts = hosts
        self._memory = memory
        self._group_threads = max(1, threads - (requests - 1))
        self._group_at_host = max(1, hosts.limit - (requests - 1))
        self._group_memory = max(memory // requests, memory - (requests - 1) * LARGE_TRANSFER)
        self._changed = Condition()
        self._groups: list[Group] = []
        self._used = 0
        self._served = 0
        self._at_hosts: Counter[str] = Counter()
        self._closing = False
        self._threads = [Thread(target=self._work, name=f"transfer-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    @contextmanager
    def group(self) -> Iterator[Group]:
        """Make the group of a request; what of it still waits at the end is cancelled."""
        group = Group(self)
        with self._changed:
            self._groups.append(group)
        try:
            yield group
        finally:
            with self._changed:
                self._groups.remove(group)
                left = [waiting for queue in group.waiting.values() for waiting in queue]
            for waiting in left:
                waiting.future.cancel()

    def submit(self, group: Group, job: Job[T]) -> Future[T]:
        """Put a job into a group's queue."""
        waiting = _Waiting(job, Future(), copy_context())
        with self._changed:
            group.waiting.setdefault(job.host, deque()).append(waiting)
            if self._can_begin(group, job):
                self._changed.notify()
        return waiting.future

    def close(self) -> None:
        """End the threads once what they do is done."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            group, waiting = taken
            try:
                _do(waiting)
            finally:
                with self._changed:
                    group.at_work -= 1
                    group.memory -= waiting.job.memory
                    self._used -= waiting.job.memory
                    if waiting.job.host is not None:
                        self._at_hosts[waiting.job.host] -= 1
                        group.at_hosts[waiting.job.host] -= 1

    def _take(self) -> tuple[Group, _Waiting] | None:
        with self._changed:
            while not self._closing:
                for group in sorted(self._groups, key=lambda group: (group.at_work, group.served)):
                    if (waiting := self._next_of(group)) is not None:
                        self._begin(group, waiting)
                        self._wake_another()
                        return group, waiting
                # A host's slot can become free without anybody telling: look again now and then.
                self._changed.wait(_LOOK if any(group.waiting for group in self._groups) else None)
            return None

    def _next_of(self, group: Group) -> _Waiting | None:
        for host, queue in list(group.waiting.items()):
            while queue and queue[0].future.cancelled():
                queue.popleft()
            if not queue:
                del group.waiting[host]
            elif self._can_begin(group, queue[0].job):
                group.waiting[host] = group.waiting.pop(host)  # to the end: the hosts take turns
                return queue.popleft()
        return None

    def _wake_another(self) -> None:
        """Wake one more thread if there is something for it; who ends a job looks for the next one itself."""
        if any(
            self._can_begin(group, queue[0].job) for group in self._groups for queue in group.waiting.values() if queue
        ):
            self._changed.notify()

    def _can_begin(self, group: Group, job: Job[Any]) -> bool:
        if group.at_work >= self._group_threads:
            return False
        if job.host is not None and not self._may_ask(group, job.host):
            return False
        in_group = group.memory == 0 or group.memory + job.memory <= self._group_memory
        return in_group and (self._used == 0 or self._used + job.memory <= self._memory)

    def _may_ask(self, group: Group, host: str) -> bool:
        if group.at_hosts[host] >= self._group_at_host:
            return False
        return self._hosts.has_room(host, promised=self._at_hosts[host])

    def _begin(self, group: Group, waiting: _Waiting) -> None:
        self._served += 1
        group.served = self._served
        group.at_work += 1
        group.memory += waiting.job.memory
        self._used += waiting.job.memory
        if waiting.job.host is not None:
            self._at_hosts[waiting.job.host] += 1
            group.at_hosts[waiting.job.host] += 1


def _do(waiting: _Waiting) -> None:
    if not waiting.future.set_running_or_notify_cancel():
        return
    try:
        result = waiting.context.run(waiting.job.work)
    except BaseException as error:  # raised where the result is asked for
        waiting.future.set_exception(error)
    else:
        waiting.future.set_result(result)
