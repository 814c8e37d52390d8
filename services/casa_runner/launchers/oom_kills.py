"""How often the kernel has ended processes of ours for want of memory, as their control group counts them."""

from collections.abc import Iterator
from pathlib import Path

_OWN = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")


def oom_kills(*, own: Path = _OWN, mount: Path = _MOUNT) -> int | None:
    """Read the counter of this process's control group, which what it starts is in, too; None if there is none.

    Parameters
    ----------
    own
        Names the groups of this process.
    mount
        Where they are seen: version 2, or version 1 with a directory for each controller.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return None
    for path in _counters(lines, mount):
        try:
            words = dict(line.split(" ", 1) for line in path.read_text().splitlines())
            return int(words["oom_kill"])
        except (OSError, KeyError, ValueError):
            continue
    return None


def _counters(lines: list[str], mount: Path) -> Iterator[Path]:
    """Name the files that may have it; in a container the group can be seen as the topmost one."""
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield mount / "memory" / group.lstrip("/") / "memory.oom_control"
            yield mount / "memory" / "memory.oom_control"
        elif not controllers:
            yield mount / group.lstrip("/") / "memory.events"
            yield mount / "memory.events"
