"""What the private servers of tests have in common: none outlives its context, or a start that failed."""

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self


class PrivateServer(ABC):
    """A server of a test's own; a context manager."""

    def __enter__(self) -> Self:
        try:
            self.begin()
        except BaseException:  # no server outlives a start that failed; raised again
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def begin(self) -> None:
        """Start it for the first time, with what it needs."""

    @abstractmethod
    def close(self) -> None:
        """End it, however far it came, and remove its data."""


def wait_until(
    answers: Callable[[], bool], *, name: str, process: "subprocess.Popen[bytes]", log: Path, timeout: float
) -> None:
    """Wait until a server answers.

    Raises
    ------
    RuntimeError
        With the end of its log, if it ended or has not answered in time.
    """
    until = monotonic() + timeout
    while not answers():
        if process.poll() is not None or monotonic() > until:
            raise RuntimeError(f"{name} did not start: {log.read_text(errors='replace')[-2000:]}")
        sleep(0.02)
