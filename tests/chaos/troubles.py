"""Makes what the plan says go wrong."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from threading import Event as Flag
from threading import Lock, Thread
from time import monotonic
from uuid import uuid4

import pika
from pika.exceptions import AMQPError

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import RestoreStarted
from shared.bus.topology import Names
from tests.chaos import plan as plans
from tests.chaos.asker import Asker
from tests.chaos.plan import Plan
from tests.chaos.site import Site
from tests.support.deployment import ServiceProcess

_PREFIX = "alma-restore"
_AWAY = 60.0
"""Seconds that servers take at most to come back."""


class Troublemaker:
    """Kills, cuts, repeats and poisons; what takes long to come back does so in a thread.

    Parameters
    ----------
    site
        What suffers.
    asker
        Repeats deliveries.
    plan
        Its seed chooses the poison.

    Attributes
    ----------
    done
        How often each kind of trouble really came to pass: something was alive to be killed or cut, and was.
    """

    def __init__(self, *, site: Site, asker: Asker, plan: Plan) -> None:
        self._site = site
        self._asker = asker
        self._away: list[tuple[str, datetime, datetime]] = []
        self._counting = Lock()
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
        match what:
            case plans.BROKER:
                self._in_thread(what, lambda: self._restart(what, self._site.broker.restart))
            case plans.STORE:
                self._in_thread(what, lambda: self._restart(what, self._site.s3.restart))
            case plans.CUT_BROKER:
                self._in_thread(what, self._site.to_broker.cut)
            case plans.CUT_STORE:
                self._in_thread(what, self._site.to_s3.cut)
            case plans.REPEAT:
                self._in_thread(what, self._asker.repeat)
            case plans.POISON:
                self._in_thread(what, self._poison)
            case _:
                self._count(what, self._kill(self._site.deployment.replicas[int(what.split(" ")[0])]))

    def look_after(self) -> None:
        """Start again what ended by itself, and remember it."""
        for replica in self._site.deployment.replicas:
            if (code := replica.exit_code) is not None:
                self.exits.append(f"{replica.name} ended by itself with code {code}")
                self._kill(replica)

    def times_away(self, name: str) -> list[tuple[datetime, datetime]]:
        """Tell from when to when a server was away; of a service, when a replica died."""
        return [(since, until) for away, since, until in self._away if away == name]

    def wait(self) -> None:
        """Wait until all is back."""
        for thread in self._coming_back:
            thread.join()
        for replica in self._site.deployment.replicas:
            replica.wait_until_ready()

    def _count(self, what: str, how_often: int) -> None:
        with self._counting:
            self.done[what] += how_often > 0

    def _kill(self, replica: ServiceProcess) -> bool:
        """Kill and start again; tell whether it lived."""
        lived = replica.exit_code is None
        replica.kill()
        died = datetime.now(UTC)
        self._away.append((replica.name, died, died))
        replica.start()
        return lived

    def _restart(self, what: str, restart: Callable[[], None]) -> int:
        with self._locks[what]:
            since = datetime.now(UTC)
            restart()
            self._away.append((what, since, datetime.now(UTC)))
        return 1

    def _in_thread(self, what: str, job: Callable[[], int]) -> None:
        """Do something until it had an effect: with the broker away nothing can be cut, repeated or poisoned."""

        def until_it_happened() -> None:
            until = monotonic() + _AWAY
            while not (how_often := job()) and monotonic() < until:
                Flag().wait(0.2)
            self._count(what, how_often)

        thread = Thread(target=until_it_happened, daemon=True)
        thread.start()
        self._coming_back.append(thread)

    def _poison(self) -> int:
        """Put into a queue what no service can handle; what the broker did not confirm may be there or not."""
        queue = self._random.choice(tuple(QUEUES))
        body = self._random.choice((_no_json, _unknown_version, _broken, _misplaced))()
        self.perhaps_poisoned.add((queue, body))
        try:
            with pika.BlockingConnection(pika.URLParameters(self._site.broker.url)) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                persistent = pika.BasicProperties(delivery_mode=2, message_id=str(uuid4()))
                channel.basic_publish("", Names(_PREFIX).queue(queue), body, persistent, mandatory=True)
        except (AMQPError, OSError):
            return 0
        self.poisoned.add((queue, body))
        return 1


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
