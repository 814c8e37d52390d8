"""Do what several threads want in one go: one transaction, one wait for the disk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(eq=False)
class _Wanted(Generic[T, R]):
    item: T
    done: bool = False
    result: R | None = None
    error: Exception | None = None


class Together(Generic[T, R]):
    """Collects what threads want while one of them is at work, and lets the next one do it for all.

    Parameters
    ----------
    work
        Does several items, all or none, and returns the result of each.
    most
        Items that are done in one go.
    """

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]], *, most: int = 64) -> None:
        self._work = work
        self._most = most
        self._lock = Lock()
        self._turn = Lock()
        self._waiting: list[_Wanted[T, R]] = []

    def __len__(self) -> int:
        """Tell how many items are waiting to be done."""
        with self._lock:
            return len(self._waiting)

    def do(self, item: T) -> R:
        """Have an item done; returns or raises when it was."""
        mine: _Wanted[T, R] = _Wanted(item)
        with self._lock:
            self._waiting.append(mine)
        while not mine.done:
            with self._turn:
                if not mine.done:
                    self._do_some()
        if mine.error is not None:
            raise mine.error
        return mine.result  # type: ignore[return-value]  # set wherever there is no error

    def _do_some(self) -> None:
        with self._lock:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        try:
            self._settle(batch)
        except Exception:  # each is done by itself then, and its error raised where it is wanted
            for each in batch:
                self._settle_alone(each)

    def _settle(self, batch: Sequence[_Wanted[T, R]]) -> None:
        results = self._work([each.item for each in batch])
        for each, result in zip(batch, results, strict=True):
            each.result, each.done = result, True

    def _settle_alone(self, wanted: _Wanted[T, R]) -> None:
        """Do one by itself after several failed together, so that its error is its own."""
        try:
            self._settle([wanted])
        except Exception as error:  # it is raised again in the thread that wants it
            wanted.error, wanted.done = error, True
