"""Makes what the plan says go wrong."""

from collections import Counter
from collections.abc import Callable
from random import Random
from threading import Lock, Thread
from uuid import uuid4

import pika
from pika.exceptions import AMQPError

from contracts.envelope import Event
from contracts.messages import RestoreStarted
from shared.bus.topology import Names
from tests.chaos import plan as plans
from tests.chaos.desk import Desk
from tests.chaos.plan import Plan
from tests.chaos.site import Site
from tests.support.deployment import ServiceProcess

_PREFIX = "alma-restore"


class Troublemaker:
    """Kills, cuts, repeats and poisons; what takes long to come back does so in a thread.

    Parameters
    ----------
    site
        What suffers.
    desk
        Repeats deliveries.
    plan
        Its seed chooses the poison.
    """

    def __init__(self, *, site: Site, desk: Desk, plan: Plan) -> None:
        self._site = site
        self._desk = desk
        self._random = Random(plan.seed)
        self._plan = plan
        self._coming_back: list[Thread] = []
        self._locks = {plans.BROKER: Lock(), plans.STORE: Lock()}
        self.done = Counter[str]()
        self.poisoned: set[tuple[str, bytes]] = set()
        self.perhaps_poisoned: set[tuple[str, bytes]] = set()
        self.exits: list[str] = []

    def make(self, what: str) -> None:
        """Let it happen."""
        self.done[what] += 1
        match what:
            case plans.BROKER:
                self._restart(what, self._site.broker.restart)
            case plans.STORE:
                self._restart(what, self._site.s3.restart)
            case plans.CUT_BROKER:
                self._site.to_broker.cut()
            case plans.CUT_STORE:
                self._site.to_s3.cut()
            case plans.REPEAT:
                self._in_thread(self._desk.repeat)
            case plans.POISON:
                self._in_thread(self._poison)
            case _:
                self._kill(self._site.deployment.replicas[int(what.split(" ")[0])])

    def look_after(self) -> None:
        """Start again what ended by itself, and remember it."""
        for replica in self._site.deployment.replicas:
            if (code := replica.exit_code) is not None:
                self.exits.append(f"{replica.name} ended by itself with code {code}")
                self._kill(replica)

    def wait(self) -> None:
        """Wait until all is back."""
        for thread in self._coming_back:
            thread.join()
        for replica in self._site.deployment.replicas:
            replica.wait_until_ready()

    def _kill(self, replica: ServiceProcess) -> None:
        replica.kill()
        replica.start()

    def _restart(self, what: str, restart: Callable[[], None]) -> None:
        def one_at_a_time() -> None:
            with self._locks[what]:
                restart()

        self._in_thread(one_at_a_time)

    def _in_thread(self, job: Callable[[], None]) -> None:
        thread = Thread(target=job, daemon=True)
        thread.start()
        self._coming_back.append(thread)

    def _poison(self) -> None:
        """Put into a queue what no service can handle; what the broker did not confirm may be there or not."""
        queue = self._random.choice(plans.QUEUES_OF_POISON)
        body = self._random.choice((_no_json, _unknown_version, _broken, _misplaced))()
        self.perhaps_poisoned.add((queue, body))
        try:
            with pika.BlockingConnection(pika.URLParameters(self._site.broker.url)) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                persistent = pika.BasicProperties(delivery_mode=2, message_id=str(uuid4()))
                channel.basic_publish("", Names(_PREFIX).queue(queue), body, persistent, mandatory=True)
        except (AMQPError, OSError):
            return
        self.poisoned.add((queue, body))


def _no_json() -> bytes:
    return b"\xff no JSON " + uuid4().bytes


def _unknown_version() -> bytes:
    return f'{{"specversion": "1.0", "id": "{uuid4()}", "type": "org.alma-restore.request.accepted.v99"}}'.encode()


def _broken() -> bytes:
    kind = "org.alma-restore.restore.started.v1"
    return f'{{"specversion": "1.0", "id": "{uuid4()}", "type": "{kind}", "data": {{}}}}'.encode()


def _misplaced() -> bytes:
    """Write a good event that no service takes; for the one that gets it, it is an error nobody foresaw."""
    message = RestoreStarted(
        request_id=uuid4(), mous_uid="uid://A001/X1/X1", eb_uid="uid://A002/X1/X1", runner="nobody", attempt=1
    )
    return Event.first(message, source="/alma-restore/chaos").encode()
