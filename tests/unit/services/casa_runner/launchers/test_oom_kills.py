"""The kernel's count of processes that it ended for want of memory is read from either kind of control groups."""

from pathlib import Path

import pytest

from services.casa_runner.launchers.oom_kills import oom_kills

EVENTS = "low 0\nhigh 0\nmax 12\noom 4\noom_kill 3\noom_group_kill 0\n"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"
OLD = "12:pids:/a\n5:cpu,memory:/docker/abc\n0::/init.scope\n"


@pytest.mark.parametrize(
    ("groups", "place", "text", "count"),
    [
        ("0::/system.slice/runner.service\n", "system.slice/runner.service/memory.events", EVENTS, 3),
        ("0::/\n", "memory.events", EVENTS, 3),
        ("0::/../kubepods/pod1\n", "memory.events", EVENTS, 3),
        (OLD, "memory/docker/abc/memory.oom_control", CONTROL, 3),
        (OLD, "memory/memory.oom_control", CONTROL, 3),
        (OLD, "memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n", None),
        ("0::/\n", "memory.current", "5\n", None),
    ],
)
def test_the_count_is_that_of_our_own_group(
    tmp_path: Path, groups: str, place: str, text: str, count: int | None
) -> None:
    own, mount = tmp_path / "own", tmp_path / "mount"
    own.write_text(groups)
    (mount / place).parent.mkdir(parents=True)
    (mount / place).write_text(text)
    assert oom_kills(own=own, mount=mount) == count


def test_where_there_are_no_groups_nobody_counts(tmp_path: Path) -> None:
    assert oom_kills(own=tmp_path / "missing", mount=tmp_path) is None
