"""Whether a process can take work is known where nobody asks, and nothing is known of what hangs."""

from queue import Queue

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from shared.metrics import ServiceMetrics
from shared.readiness import Readiness


def shown(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("alma_restore_ready", {"service": "casa-runner"})


def test_it_is_shown_as_it_is_though_nobody_asks() -> None:
    registry, asked, answer = CollectorRegistry(), Queue[None](), [True]

    def check() -> bool:
        asked.put(None)
        return answer[0]

    readiness = Readiness(check=check, interval=0.01, soon=0.01)
    ServiceMetrics(registry).show_ready("casa-runner", readiness.known)
    assert shown(registry) == 0
    with readiness:
        for answer[0] in (True, False, True):
            while shown(registry) != answer[0]:
                asked.get(timeout=10)


def test_what_hangs_is_not_taken_for_ready_for_ever() -> None:
    time = [1000.0]
    readiness = Readiness(check=lambda: True, lasting=60, now=lambda: time[0])
    assert not readiness.known()
    assert readiness.ask()
    time[0] += 59
    assert readiness.known()
    time[0] += 2
    assert not readiness.known()


def test_what_fails_in_a_way_that_nobody_foresaw_is_not_ready_and_logged() -> None:
    def check() -> bool:
        raise ValueError("a bug")

    with capture_logs() as logs:
        assert not Readiness(check=check).ask()
    assert [entry["event"] for entry in logs] == ["readiness_check_failed"]


def test_while_somebody_else_asks_it_does_not_ask_by_itself() -> None:
    asked, looked = [0], Queue[None]()

    def check() -> bool:
        asked[0] += 1
        return True

    def now() -> float:
        looked.put(None)
        return 1000.0

    readiness = Readiness(check=check, interval=3600, now=now)
    readiness.ask()
    with readiness:
        for _ in ("as it was asked", "whether it is long ago", "until when it is well"):
            looked.get(timeout=10)
    assert asked == [1]
