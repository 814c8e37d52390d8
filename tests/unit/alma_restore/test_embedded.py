"""All services in one process: what surrounds them."""

import fcntl
from datetime import timedelta
from pathlib import Path
from threading import Event

from alma_restore.embedded import Embedded
from shared.bus import Subscription
from shared.objects.directory import DirectoryStore

PATIENCE = 20.0


class Swept(DirectoryStore):
    """A directory that tells when something was removed from it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root=root)
        self.done = Event()

    def sweep(self, *arguments: object) -> int:
        removed = super().sweep(*arguments)  # type: ignore[arg-type]  # passed on as it came
        if removed:
            self.done.set()
        return removed


def test_what_killed_writers_left_is_removed_when_one_process_starts_and_while_it_runs(tmp_path: Path) -> None:
    store = Swept(tmp_path)
    (tmp_path / "tmp/abandoned").write_bytes(b"half")
    at_work = (tmp_path / "tmp/at-work").open("xb")
    fcntl.flock(at_work, fcntl.LOCK_EX)
    with at_work, Embedded(services=(), objects=store, sweep_interval=0.02):
        assert store.done.wait(PATIENCE)
        store.done.clear()
        assert [path.name for path in (tmp_path / "tmp").iterdir()] == ["at-work"]
        (tmp_path / "tmp/later").write_bytes(b"half")
        assert store.done.wait(PATIENCE)


class Tidy:
    """A service that hears nothing and leaves things in the store."""

    name = "tidy"

    def __init__(self) -> None:
        self.tidied = Event()

    def subscriptions(self) -> list[Subscription]:
        return []

    def is_ready(self) -> bool:
        return True

    def close(self) -> None:
        pass

    def tidy(self, older_than: timedelta) -> int:
        self.tidied.set()
        return 0


def test_services_remove_what_they_left_in_the_store(tmp_path: Path) -> None:
    service = Tidy()
    with Embedded(services=[service], objects=DirectoryStore(tmp_path)):
        assert service.tidied.wait(PATIENCE)
