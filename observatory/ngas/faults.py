"""Faults that the small NGAS server can be told to have, while it runs, from any process."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from uuid import uuid4

_EVERY_FILE = ""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with requests for a file.

    Attributes
    ----------
    cut_after
        Close the connection after this many bytes of the body.
    reset
        Close it by a TCP reset instead of a clean end (with ``cut_after`` or ``busy``).
    stall
        Wait this many seconds …
    stall_after
        … after this many bytes of the body.
    corrupt_at
        Flip the bits of the file's byte at this offset.
    truncate_to
        Serve the file as if it had only this many bytes.
    offline
        Answer as a server in state OFFLINE does, to every command.
    redirect_to
        Answer 303 to this ``host:port``.
    busy
        Answer a bare 503.
    ignore_range
        Serve the whole file whatever range was asked for.
    range_off
        Serve a resumed body from so many bytes behind what was asked for, and say so.
    times
        For how many requests; None is for all of them.
    commands
        Which commands suffer.
    """

    cut_after: int | None = None
    reset: bool = False
    stall: float = 0.0
    stall_after: int = 0
    corrupt_at: int | None = None
    truncate_to: int | None = None
    offline: bool = False
    redirect_to: str | None = None
    busy: bool = False
    ignore_range: bool = False
    range_off: int = 0
    times: int | None = None
    commands: tuple[str, ...] = ("RETRIEVE",)

    def concerns(self, command: str) -> bool:
        """Whether requests of this command suffer."""
        return self.offline or command in self.commands


NO_FAULT = Fault()


class FaultBoard:
    """Keeps the faults of an archive in its directory, so that any process may set them.

    Parameters
    ----------
    root
        The archive's directory.
    """

    def __init__(self, root: Path) -> None:
        self._path = root.absolute() / "faults.json"
        self._lock = Lock()
        self._seen: tuple[int, ...] = ()
        self._rules: dict[str, tuple[str, Fault]] = {}
        self._taken: dict[str, int] = {}

    def set(self, fault: Fault, *, file_id: str | None = None) -> None:
        """Let a file have this fault from now on, or every file without one of its own."""
        with self._lock:
            self._refresh()
            self._rules[file_id or _EVERY_FILE] = (uuid4().hex, fault)
            self._write()

    def clear(self, file_id: str | None = None) -> None:
        """Heal one file, or everything."""
        with self._lock:
            self._refresh()
            self._rules = {} if file_id is None else {k: v for k, v in self._rules.items() if k != file_id}
            self._write()

    def take(self, command: str, file_id: str | None) -> Fault:
        """Return the fault that this request suffers, and count it."""
        with self._lock:
            self._refresh()
            for key in (file_id or _EVERY_FILE, _EVERY_FILE):
                if key not in self._rules:
                    continue
                serial, fault = self._rules[key]
                taken = self._taken.get(serial, 0)
                if fault.concerns(command) and (fault.times is None or taken < fault.times):
                    self._taken[serial] = taken + 1
                    return fault
            return NO_FAULT

    def _refresh(self) -> None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._rules = {}
            return
        seen = (found.st_mtime_ns, found.st_ino, found.st_size)
        if seen != self._seen:
            self._rules = {
                key: (serial, _read(raw)) for key, (serial, raw) in json.loads(self._path.read_text()).items()
            }
            self._seen = seen

    def _write(self) -> None:
        temporary = self._path.with_name(f".faults.{os.getpid()}.{uuid4().hex}")
        temporary.write_text(json.dumps({key: (serial, asdict(fault)) for key, (serial, fault) in self._rules.items()}))
        temporary.replace(self._path)


def _read(raw: dict[str, object]) -> Fault:
    commands = raw.pop("commands")
    assert isinstance(commands, list)
    return Fault(**raw, commands=tuple(commands))  # type: ignore[arg-type]  # written by asdict of the same class
