"""How fast the ledger takes events in and tells of requests, on SQLite or PostgreSQL, while a thousand wait.

200 live requests with so many execution blocks each; then progress of one block of each in a batch,
of all blocks in batches as the journal gives them to who is behind, and one by one from 16
threads. A thousand waiters watch the requests meanwhile; timed is each status read of
theirs, and how long after the recording of an event a waiter has the request with it. The
yardstick of a recording is the same number of commits of one small row by hand on the same disk.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from threading import Thread
from uuid import UUID

from sqlalchemy import create_engine, text

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid
from services.request_desk.ledger.migrating import migrate
from services.request_desk.ledger.store import SqlLedger
from shared.bus.journal import BATCH
from tests.support.postgresql import PostgresServer
from tests.support.stories import Story

WAITERS = 1000
READ_EVERY = 5.0
WARM = 4.0
"""Seconds in which the thousand begin, all at once, as nobody does."""


def live(requests: int, blocks: int) -> list[Story]:
    """Make requests all blocks of which are being restored."""
    found = []
    for number in range(requests):
        uids = [ExecBlockUid(f"uid://A002/X{number:x}/X{block:x}") for block in range(1, blocks + 1)]
        story = Story(request_id=UUID(int=number + 1), blocks=uids)
        structure = story.resolved()
        for uid in uids:
            story.started(story.ordered(story.fetched(structure, uid), uid), uid)
        found.append(story)
    return found


def progress(stories: Sequence[Story], percent: float, *, block: int = 0) -> list[Event]:
    """Say of a block of every request how far it is."""
    return [story.progressed(story.events[-1], story.blocks[block], percent) for story in stories]


def behind(stories: Sequence[Story], blocks: int) -> list[Event]:
    """Say of every block again and again how far it is, as many words as the journal gives in one go."""
    found: list[Event] = []
    while len(found) < BATCH:
        percent = 2.0 + len(found) / BATCH
        found += [event for block in range(blocks) for event in progress(stories, percent, block=block)]
    return found[:BATCH]


def show(name: str, seconds: Sequence[float]) -> None:
    """Print the spread of durations."""
    cut = quantiles(seconds, n=100)
    print(f"{name:58s} median {median(seconds) * 1e3:8.2f} ms   p99 {cut[98] * 1e3:8.2f} ms   of {len(seconds)}")


def timed(name: str, number: int, began: float) -> None:
    """Print a rate."""
    took = time.perf_counter() - began
    print(f"{name:58s} {number / took:8.0f} /s   {took / number * 1e3:8.2f} ms each")


def by_hand(url: str, number: int) -> None:
    """Commit rows by hand."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE by_hand (x INTEGER)"))
        began = time.perf_counter()
        for index in range(number):
            connection.execute(text("INSERT INTO by_hand VALUES (:x)"), {"x": index})
        timed("by hand: commits of one small row", number, began)
    engine.dispose()


@contextmanager
def database(kind: str) -> Iterator[str]:
    """Make an empty database on this disk; give its URL."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as name:
            yield f"sqlite:///{Path(name) / 'ledger.db'}"
    else:
        with PostgresServer(synced=True) as server:
            yield server.url(server.new_database()).render_as_string(hide_password=False)


async def watch(ledger: SqlLedger, stories: Sequence[Story], seconds: float) -> None:
    """Let a thousand wait and read, while all requests go forward every two seconds."""
    reads, late = list[float](), list[float]()
    said: dict[tuple[UUID, float], float] = {}
    warm = time.perf_counter() + WARM
    until = warm + seconds

    def feed() -> None:
        percent = 10.0
        while time.perf_counter() < until:
            percent = round(percent + 0.5, 1)
            for story, event in zip(stories, progress(stories, percent), strict=True):
                said[story.request.request_id, percent] = time.perf_counter()
                ledger.record(event)
                time.sleep(2.0 / len(stories))

    async def waiter(index: int) -> None:
        request_id = stories[index % len(stories)].request.request_id
        since = 0
        while time.perf_counter() < until:
            record = await ledger.wait(request_id, since=since, timeout=READ_EVERY)
            assert record is not None
            changed, since = record.change > since, record.change
            at = said.get((request_id, record.blocks[0].percent or 0.0))
            if changed and at is not None and at > warm:
                late.append(time.perf_counter() - at)
            began = time.perf_counter()
            ledger.request(request_id)
            reads.append(time.perf_counter() - began)

    thread = Thread(target=feed)
    thread.start()
    await asyncio.gather(*(waiter(index) for index in range(WAITERS)))
    await asyncio.to_thread(thread.join)
    show("status read, a thousand waiting", reads)
    show("an event recorded until a waiter has it", late)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seconds", type=float, default=15.0)
    given = parser.parse_args()
    with database(given.database) as url:
        migrate(url)
        ledger = SqlLedger(url=url)
        stories = live(given.requests, given.blocks)
        events = [event for story in stories for event in story.events]
        began = time.perf_counter()
        for start in range(0, len(events), 200):
            ledger.record_all(events[start : start + 200])
        timed("all events of requests, in batches of 200", len(events), began)
        news = progress(stories, 1.0)
        began = time.perf_counter()
        ledger.record_all(news)
        timed("progress, one batch", len(news), began)
        news = behind(stories, given.blocks)
        began = time.perf_counter()
        ledger.record_all(news)
        timed(f"progress, a batch of {BATCH}", len(news), began)
        news = progress(stories, 4.0)
        began = time.perf_counter()
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(ledger.record, news))
        timed("progress, 16 threads", len(news), began)
        by_hand(url, len(news))
        reads = []
        for story in stories:
            began = time.perf_counter()
            ledger.request(story.request.request_id)
            reads.append(time.perf_counter() - began)
        show("status read, nobody waiting", reads)
        asyncio.run(watch(ledger, stories, given.seconds))
        ledger.close()


if __name__ == "__main__":
    main()
