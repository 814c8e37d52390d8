"""How a service's process starts, ends, and ends at once."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep
from uuid import uuid4

import pytest

from contracts.envelope import Event
from contracts.messages import RequestSubmitted
from shared.bus.rabbitmq import RabbitBus
from shared.bus.settings import RabbitSettings
from shared.objects import DirectorySettings, open_store
from tests.support.ports import free_ports
from tests.support.rabbitmq import RabbitServer
from tests.support.samples import REQUEST

SECONDS = 60.0
REPOSITORY = Path(__file__).parents[2]
_SERVICE = """
import sys, threading
from shared.bus import Subscription
from shared.runtime import run_service

class Service:
    name = "entitlement-checker"
    def __init__(self, longest):
        self._longest = longest
    def subscriptions(self):
        topics = ("request.submitted",)
        return [Subscription(queue=self.name, topics=topics, handler=self.handle, longest=self._longest)]
    def handle(self, event, delivery):
        print("AT WORK", flush=True)
        if sys.argv[1] == "fails":
            raise KeyError("gain")
        if sys.argv[1] == "breaks":
            raise KeyboardInterrupt
        if sys.argv[1] == "ends":
            return []
        threading.Event().wait()
    def is_ready(self):
        return True
    def close(self):
        pass

run_service(lambda objects: Service(longest=36000.0 if sys.argv[1] == "long" else None))
"""


class Site:
    """A broker's corner, and services in processes on it."""

    def __init__(self, server: RabbitServer, root: Path) -> None:
        self.environment = os.environ | {
            "ALMA_RESTORE_BUS__URL": server.url,
            "ALMA_RESTORE_BUS__PREFIX": f"test-{uuid4().hex[:8]}",
            "ALMA_RESTORE_BUS__SETTLE_TIME": "0",
            "ALMA_RESTORE_STORE__KIND": "directory",
            "ALMA_RESTORE_STORE__ROOT": str(root),
            "ALMA_RESTORE_RETRY_DELAYS": "[0.05]",
        }
        self.objects = open_store(DirectorySettings(root=root))
        self.bus = RabbitBus(
            settings=RabbitSettings.model_validate(
                {"url": server.url, "prefix": self.environment["ALMA_RESTORE_BUS__PREFIX"], "settle_time": 0}
            )
        )
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, how: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVICE, how],
            cwd=REPOSITORY,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def wait_until_it_works(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        while "AT WORK" not in (line := process.stdout.readline()):
            assert line, process.communicate()[1]

    def say_something(self) -> Event:
        self.bus.declare({"entitlement-checker": ("request.submitted",)})
        event = Event.first(RequestSubmitted(request=REQUEST), source="/test")
        self.bus.publish([event])
        return event

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()
        self.bus.close()
        self.objects.close()


@pytest.fixture
def site(rabbit_server: RabbitServer, tmp_path: Path) -> Iterator[Site]:
    site = Site(rabbit_server, tmp_path / "objects")
    yield site
    site.close()


def test_the_first_signal_waits_for_the_work_and_the_second_ends_it_at_once(site: Site) -> None:
    site.say_something()
    process = site.start("waits")
    site.wait_until_it_works(process)
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.0)
    process.send_signal(signal.SIGTERM)
    assert process.wait(2.0) == 128 + signal.SIGTERM
    site.wait_until_it_works(site.start("waits"))


def test_a_process_that_is_started_for_one_event_ends_after_it_and_leaves_the_next_to_another(site: Site) -> None:
    first, second = site.say_something(), site.say_something()
    assert first.id != second.id
    site.environment |= {"ALMA_RESTORE_END_AFTER_EVENTS": "1", "ALMA_RESTORE_END_WHEN_IDLE": "5"}
    for _ in range(2):
        process = site.start("ends")
        said, told = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, told
        assert said.count("AT WORK") == 1
    late = site.start("ends")
    said, told = late.communicate(timeout=SECONDS)
    assert (late.returncode, said.count("AT WORK")) == (0, 0), told


def test_a_service_whose_work_the_broker_would_interrupt_does_not_start_and_says_what_to_set(site: Site) -> None:
    process = site.start("long")
    _, told = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert "consumer_timeout = 39600000" in told.splitlines()[-1]
    site.environment["ALMA_RESTORE_BUS__BROKER_CONSUMER_TIMEOUT"] = "39600"
    site.say_something()
    site.wait_until_it_works(site.start("long"))


def test_a_service_without_a_broker_ends_with_the_code_of_what_is_worth_another_start(site: Site) -> None:
    site.environment |= {
        "ALMA_RESTORE_BUS__URL": "amqp://x:hush-hush@127.0.0.1:9/",
        "ALMA_RESTORE_BUS__CONNECT_TIMEOUT": "1",
    }
    process = site.start("waits")
    said, told = process.communicate(timeout=SECONDS)
    assert process.returncode == os.EX_TEMPFAIL
    assert "cannot start: RabbitMQ cannot be reached at " in told
    assert "hush-hush" not in said + told


def test_a_process_in_which_nobody_works_any_more_says_that_it_is_to_be_started_anew(site: Site) -> None:
    (port,) = free_ports(1)
    site.environment["ALMA_RESTORE_HTTP_PORT"] = str(port)
    process = site.start("breaks")
    wait_for_liveness(port, HTTPStatus.OK)
    site.say_something()
    wait_for_liveness(port, HTTPStatus.SERVICE_UNAVAILABLE)
    assert process.poll() is None


def wait_for_liveness(port: int, wanted: HTTPStatus) -> None:
    until, status = monotonic() + SECONDS, None
    while status != wanted:
        assert monotonic() < until, status
        status, _ = asked(port, "/live")
        sleep(0.05)


def asked(port: int, path: str) -> tuple[int | None, str]:
    """Ask a process for something; nothing if it does not listen yet."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    with suppress(OSError), closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    return None, ""


def test_a_process_shows_that_it_is_ready_though_nobody_asks_whether_it_is(site: Site) -> None:
    (port,) = free_ports(1)
    site.environment["ALMA_RESTORE_HTTP_PORT"] = str(port)
    site.say_something()
    site.wait_until_it_works(site.start("waits"))
    until, shown = monotonic() + SECONDS, ""
    while 'alma_restore_ready{service="entitlement-checker"} 1.0' not in shown:
        assert monotonic() < until, shown
        _, shown = asked(port, "/metrics")
        sleep(0.05)


def test_the_traceback_of_what_a_service_gave_up_lies_in_the_store(site: Site) -> None:
    event = site.say_something()
    site.start("fails")
    while not (dead := site.bus.dead_letters("entitlement-checker")):
        pass
    assert dead[0].artefact == f"deadletters/{event.id}/3.txt"
    assert "KeyError: 'gain'" in site.objects.get(dead[0].artefact).decode()
