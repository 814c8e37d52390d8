"""The store is kept tidy while a service runs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from structlog.testing import capture_logs

from shared.errors import DependencyAwayError
from shared.housekeeping import Housekeeping
from shared.objects.directory import DirectoryStore
from shared.objects.lease import Leases

WEEK = timedelta(days=7)


class LongAgo:
    """Clocks of a host that was here a month ago."""

    def now(self) -> datetime:
        return datetime.now(UTC) - timedelta(days=30)

    def monotonic(self) -> float:
        return 0.0


class Watched(DirectoryStore):
    """A directory that tells when it was swept, and can be away."""

    def __init__(self, root: Path) -> None:
        super().__init__(root=root)
        self.swept = Event()
        self.away = 0
        self.trouble: Exception = DependencyAwayError("The store is away")

    def sweep(self, older_than: timedelta) -> int:
        if self.away:
            self.away -= 1
            raise self.trouble
        removed = super().sweep(older_than)
        self.swept.set()
        return removed


@pytest.fixture
def store(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "root")


def test_what_killed_writers_left_and_leases_long_over_are_removed(store: Watched, tmp_path: Path) -> None:
    (tmp_path / "root/tmp/abandoned").write_bytes(b"half")
    old = Leases(objects=store, clock=LongAgo())
    old.claim("old/dead", owner="runner", ttl=WEEK)
    Leases(objects=store).claim("new", owner="runner", ttl=timedelta(minutes=4))
    with capture_logs() as logs:
        Housekeeping(objects=store, interval=3600, age=WEEK).sweep()
    assert [info.key for info in store.list("")] == ["leases/new.json"]
    assert list((tmp_path / "root/tmp").iterdir()) == []
    assert [(entry["event"], entry["left_by_killed_writers"], entry["leases"]) for entry in logs] == [
        ("store_swept", 1, 1)
    ]


class Cellar:
    """A service that has left three things."""

    def tidy(self, older_than: timedelta) -> int:
        assert older_than == WEEK
        return 3


def test_what_services_left_is_removed_by_them_and_counted(store: Watched) -> None:
    with capture_logs() as logs:
        Housekeeping(objects=store, interval=3600, age=WEEK, tidiers=[Cellar()]).sweep()
    assert [(entry["event"], entry["left_by_killed_writers"]) for entry in logs] == [("store_swept", 3)]


@pytest.mark.parametrize("trouble", [DependencyAwayError("The store is away"), ValueError("a fault of ours")])
def test_a_store_that_could_not_be_swept_is_swept_the_next_time(store: Watched, trouble: Exception) -> None:
    store.away, store.trouble = 2, trouble
    with Housekeeping(objects=store, interval=0.01, age=WEEK):
        assert store.swept.wait(timeout=20)


def test_it_ends_without_waiting_for_the_next_sweep(store: Watched) -> None:
    keeping = Housekeeping(objects=store, interval=3600, age=WEEK)
    with keeping:
        pass
    keeping._thread.join(timeout=20)
    assert not keeping._thread.is_alive()
