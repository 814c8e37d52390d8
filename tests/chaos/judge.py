"""What must hold when all is over. Each function says what does not."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from uuid import UUID

import pika

from alma_restore.demo.results import Results
from alma_restore.demo.scenario import Asked
from alma_restore.progress import RequestProgress
from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import DeliveryAnnounced, MailSent, ReleaseWithheld, RequestFailed, RequestRefused
from shared.bus import RetryPolicy
from shared.bus.rabbitmq import RabbitBus
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names, topology
from tests.chaos.site import Site

_ENDS = (DeliveryAnnounced, RequestRefused, RequestFailed, ReleaseWithheld)
_QUIET = 6.0


def read_journal(url: str, names: Names) -> list[Event]:
    """Read every event that was ever said, from the stream."""
    bodies: list[bytes] = []
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1000)
        for method, _, body in channel.consume(
            names.journal, arguments={"x-stream-offset": "first"}, inactivity_timeout=3.0
        ):
            if method is None:
                break
            bodies.append(body or b"")
            channel.basic_ack(method.delivery_tag or 0)
    return [Event.decode(body) for body in bodies]


def requests_at_wrong_ends(
    asked: Sequence[Asked], events: Iterable[Event], *, deliveries: Path, mails: Path
) -> Iterator[str]:
    """Compare every request's end, files and mails with what was expected."""
    progress: Mapping[UUID, RequestProgress] = defaultdict(RequestProgress)
    ends: Mapping[UUID, set[UUID]] = defaultdict(set)
    told: Mapping[UUID, set[UUID]] = defaultdict(set)
    for event in events:
        progress[event.correlationid].apply(event)
        if isinstance(event.data, _ENDS):
            ends[event.correlationid].add(event.id)
        if isinstance(event.data, MailSent):
            told[event.correlationid].add(event.data.mail_id)
    results = Results(deliveries=deliveries, mails=mails)
    for each in asked:
        request_id = each.request.request_id
        found = progress[request_id]
        reused = bool(found.delivery and found.delivery.reused)
        wanted = replace(each, expected=replace(each.expected, reused=reused))
        for difference in results.differences(wanted, found):
            yield f"request {each.title}: {difference}"
        if (count := len(ends[request_id])) != 1:
            yield f"request {each.title}: {count} ends were said instead of 1"
        if (count := len(told[request_id])) != 1:
            yield f"request {each.title}: {count} mails were said to be sent instead of 1"


def troubles_that_never_were(kinds: Iterable[str], happened: Mapping[str, int]) -> Iterator[str]:
    """Say what did not go wrong at all, so that this run shows nothing about it."""
    yield from (f"{kind} never happened; a longer run has it" for kind in kinds if not happened.get(kind))


def queues_not_empty(settings: RabbitSettings, retry: RetryPolicy) -> Iterator[str]:
    """Say which queue still holds something, dead letters and journal aside."""
    names = Names(settings.prefix)
    left_out = {names.journal, names.refused, *(names.dead(queue) for queue in QUEUES)}
    with pika.BlockingConnection(settings.parameters("judge")) as connection:
        channel = connection.channel()
        for queue in topology(QUEUES, settings=settings, retry=retry).queues:
            if queue.name not in left_out:
                count = channel.queue_declare(queue.name, passive=True).method.message_count
                if count:
                    yield f"queue {queue.name} holds {count} messages"


def wrong_dead_letters(
    bus: RabbitBus, *, poisoned: set[tuple[str, bytes]], perhaps: set[tuple[str, bytes]]
) -> Iterator[str]:
    """Say which dead letter is no poison, and which poison is no dead letter."""
    dead = {(queue, letter.body): letter for queue in QUEUES for letter in bus.dead_letters(queue)}
    for queue, body in sorted(set(dead) - perhaps):
        letter = dead[queue, body]
        yield f"dead letter of {queue} (attempt {letter.attempt}, {letter.code}): {letter.reason[:300]} {body[:200]!r}"
    for queue, body in sorted(poisoned - set(dead)):
        yield f"poison in {queue} is no dead letter: {body[:200]!r}"


def restless_ends(site: Site) -> Iterator[str]:
    """End every service by SIGTERM, and say which does not end in peace."""
    for replica in site.deployment.replicas:
        if (code := replica.stop()) != 0:
            yield f"{replica.name} ended with code {code} at SIGTERM"


def wait_until_empty(settings: RabbitSettings, retry: RetryPolicy, *, timeout: float) -> None:
    """Wait until the queues have been empty for a while: what is at work is in none, and says something in the end."""
    until, empty_since = monotonic() + timeout, monotonic()
    while monotonic() < min(until, empty_since + _QUIET):
        if any(queues_not_empty(settings, retry)):
            empty_since = monotonic()
        sleep(0.2)


def repeated(events: Iterable[Event]) -> int:
    """Count the events that were said more than once."""
    return sum(count > 1 for count in Counter(event.id for event in events).values())
