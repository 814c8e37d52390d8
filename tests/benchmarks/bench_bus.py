"""The bus against pika used by hand in the same run: publish, consume, hops, and the bus in memory.

By hand means: the same broker, exchange, queues and messages, persistent, with confirms
and mandatory and the same window; no decoding, no threads, no retries. Its messages are
encoded before the clock starts, ours while it runs. Rounds in turn, medians of the ratios.
"""

import argparse
import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from itertools import pairwise
from statistics import median, quantiles
from threading import Condition
from threading import Event as Flag
from time import perf_counter, sleep
from uuid import UUID, uuid4

import pika
import structlog

from contracts.envelope import Event
from contracts.messages import RequestSubmitted, RestoreStarted
from shared.bus import Bus, Delivery, Subscription
from shared.bus.memory import MemoryBus
from shared.bus.rabbitmq import RabbitBus
from shared.bus.settings import RabbitSettings
from shared.bus.topology import Names
from tests.benchmarks.bus_by_hand import MESSAGES_A_SECOND, PATIENCE, PREFETCH, WINDOW, ByHand, hop_by_hand, said
from tests.benchmarks.report import Figure, close, in_turn, ratio
from tests.support.rabbitmq import RabbitServer
from tests.support.samples import REQUEST, SAMPLES, WAY

TOPIC = RestoreStarted.topic
MESSAGES = {sample.topic: sample for sample in SAMPLES}


class Counter:
    """Handles events by counting them, and waits for the last."""

    def __init__(self, number: int) -> None:
        self._left = number
        self._number = number
        self._done = Flag()
        self._first = self._last = 0.0

    def handle(self, _event: Event, _delivery: Delivery) -> Sequence[Event]:
        if self._left == self._number:
            self._first = perf_counter()
        self._left -= 1
        if self._left == 0:
            self._last = perf_counter()
            self._done.set()
        return ()

    def rate(self) -> float:
        """Wait for all, and give events a second from the first to the last."""
        assert self._done.wait(PATIENCE), f"{self._left} of {self._number} never came"
        return (self._number - 1) / (self._last - self._first)


class Bench:
    """Our bus on one broker, beside pika by hand."""

    def __init__(self, settings: RabbitSettings, *, batch: int) -> None:
        self._settings = settings
        self._batch = batch
        self._hand = ByHand(settings)
        self._bus = RabbitBus(settings=settings)
        self._bus.declare({"published": (TOPIC,)})

    def close(self) -> None:
        self._bus.close()

    def publish(self) -> float:
        """Publish a batch with our bus."""
        self._empty()
        events = [said() for _ in range(self._batch)]
        began = perf_counter()
        self._bus.publish(events)
        return self._batch / (perf_counter() - began)

    def publish_by_hand(self) -> float:
        self._empty()
        return self._hand.publish([said() for _ in range(self._batch)])

    def consume(self) -> float:
        """Consume a full queue with our bus: decode, handle in a thread, acknowledge."""
        self._fill()
        counter = Counter(self._batch)
        with closing(RabbitBus(settings=self._settings)) as bus:
            bus.subscribe(Subscription(queue="published", topics=(TOPIC,), handler=counter.handle, prefetch=PREFETCH))
            rate = counter.rate()
            assert bus.drain(PATIENCE)
        return rate

    def consume_by_hand(self) -> float:
        self._fill()
        return self._hand.consume("published", self._batch)

    def _fill(self) -> None:
        self._empty()
        self._bus.publish([said() for _ in range(self._batch)])

    def _empty(self) -> None:
        with pika.BlockingConnection(self._settings.parameters("bench")) as connection:
            connection.channel().queue_purge(Names(self._settings.prefix).queue("published"))


class Chain:
    """Services that do nothing but say the next event of a request's way.

    Parameters
    ----------
    bus
        Carries them.
    topics
        What each service takes.
    """

    def __init__(self, bus: Bus, topics: Sequence[str]) -> None:
        self._bus = bus
        self._topics = topics
        self._changed = Condition()
        self._arrivals: dict[UUID, list[float]] = {}
        for number, topic in enumerate(topics):
            answer = topics[number + 1] if number + 1 < len(topics) else None
            self._bus.subscribe(
                Subscription(queue=f"hop-{number}", topics=(topic,), handler=self._handler(answer), concurrency=4)
            )

    def _handler(self, answer: str | None) -> Callable[[Event, Delivery], Sequence[Event]]:
        def handle(event: Event, _delivery: Delivery) -> Sequence[Event]:
            now = perf_counter()
            with self._changed:
                self._arrivals.setdefault(event.correlationid, []).append(now)
                self._changed.notify_all()
            return [event.derive(MESSAGES[answer], source="/alma-restore/bench")] if answer else ()

        return handle

    def run(self, number: int) -> tuple[list[float], list[float]]:
        """Send so many, 50 messages a second in all; give milliseconds of each hop, and of each whole way."""
        began, starts = perf_counter(), dict[UUID, float]()
        for turn in range(number):
            sleep(max(0.0, began + turn * len(self._topics) / MESSAGES_A_SECOND - perf_counter()))
            request = REQUEST.model_copy(update={"request_id": uuid4()})
            event = Event.first(RequestSubmitted(request=request), source="/alma-restore/bench")
            starts[event.correlationid] = perf_counter()
            self._bus.publish([event])
        hops = len(self._topics)
        with self._changed:
            assert self._changed.wait_for(
                lambda: all(len(self._arrivals.get(each, ())) >= hops for each in starts), PATIENCE
            ), "some events never came through"
        ways = [[starts[each], *self._arrivals[each]] for each in starts]
        single = [1000 * (later - earlier) for way in ways for earlier, later in pairwise(way)]
        return single, [1000 * (way[-1] - way[0]) for way in ways]


def in_memory(batch: int) -> float:
    """Publish and handle with the bus in memory; events a second."""
    counter = Counter(batch)
    with closing(MemoryBus()) as bus:
        bus.subscribe(Subscription(queue="memory", topics=(TOPIC,), handler=counter.handle))
        events = [said() for _ in range(batch)]
        for start in range(0, batch, 100):
            bus.publish(events[start : start + 100])
        return counter.rate()


def rates(server: RabbitServer, *, rounds: int, batch: int) -> list[Figure]:
    """Compare publishing and consuming with pika by hand."""
    with closing(Bench(settings_of(server, "rates"), batch=batch)) as bench:
        runs: dict[str, Callable[[], float]] = {
            "publish": bench.publish,
            "publish by hand": bench.publish_by_hand,
            "consume": bench.consume,
            "consume by hand": bench.consume_by_hand,
            "in memory": lambda: in_memory(5 * batch),
        }
        for run in runs.values():
            run()
        values = in_turn(runs, rounds)
    for name in runs:
        print(f"{name}: median {median(values[name]):.0f}/s")
    return [
        Figure(
            f"publish in a window of {WINDOW}, of pika by hand",
            ratio(values["publish"], values["publish by hand"]),
            0.8,
        ),
        Figure(
            f"consume at prefetch {PREFETCH}, of pika by hand", ratio(values["consume"], values["consume by hand"]), 0.7
        ),
        Figure("bus in memory", median(values["in memory"]), 20_000, unit="/s"),
    ]


def hops(server: RabbitServer, *, rounds: int, seconds: float) -> list[Figure]:
    """Measure how long an event takes from service to service."""
    number, figures = round(seconds * MESSAGES_A_SECOND), list[Figure]()
    with ExitStack() as stack:
        one = Chain(stack.enter_context(closing(RabbitBus(settings=settings_of(server, "one")))), WAY[:1])
        seven = Chain(stack.enter_context(closing(RabbitBus(settings=settings_of(server, "seven")))), WAY)
        one.run(20)
        seven.run(5)
        hand = settings_of(server, "hand")
        found = [(hop_by_hand(hand, number), one.run(number)[0], *seven.run(number // len(WAY))) for _ in range(rounds)]
    for place, what in enumerate(("a hop by hand", "one hop", "each of seven hops", "all seven hops")):
        middle = median(median(each[place]) for each in found)
        slow = median(quantiles(each[place], n=100, method="inclusive")[98] for each in found)
        print(f"{what} at {MESSAGES_A_SECOND:g} messages a second: median {middle:.3g} ms, p99 {slow:.3g} ms")
        if place in (1, 2):
            figures.append(Figure(f"{what}, median", middle, 10.0, at_most=True, unit=" ms"))
            figures.append(Figure(f"{what}, p99", slow, 50.0, at_most=True, unit=" ms"))
    return figures


def settings_of(server: RabbitServer, prefix: str) -> RabbitSettings:
    return RabbitSettings.model_validate({"url": server.url, "prefix": f"bench-{prefix}", "settle_time": 1.0})


def main() -> None:
    """Measure and say what is short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=5000, help="events of a round")
    parser.add_argument("--seconds", type=float, default=6.0, help="how long hops are measured in a round")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.getLogger("pika").setLevel(logging.ERROR)
    with RabbitServer() as server:
        figures = rates(server, rounds=options.rounds, batch=options.batch)
        figures += hops(server, rounds=options.rounds, seconds=options.seconds)
    close(figures)


if __name__ == "__main__":
    main()
