"""A ngas-fetcher that can be killed: a process of its own, quickly begun."""

import multiprocessing
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from threading import Event as Flag

from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from contracts.flow import QUEUES
from services.ngas_fetcher.service import build
from services.ngas_fetcher.settings import NgasFetcherSettings
from shared.bus import RetryPolicy
from shared.bus.memory import MemoryBus
from shared.metrics import ServiceMetrics
from shared.objects import DirectorySettings, S3Settings, open_store
from shared.runtime import Runtime

SECONDS = 60


class FetchProcesses:
    """Begins processes that handle one event each, with the bus in memory, and end with it.

    Parameters
    ----------
    event
        What is handled.
    store
        The object store's settings.
    locations
        Directory of the location reports.
    host
        The NGAS server.
    """

    def __init__(self, *, event: Event, store: DirectorySettings | S3Settings, locations: Path, host: str) -> None:
        self._arguments = (event.encode(), store, locations, host)
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])

    def start(self) -> ForkServerProcess:
        """Begin a process; returns when it begins to handle the event."""
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=fetch, args=(*self._arguments, theirs))
        process.start()
        theirs.close()
        assert ours.recv() == "working"
        return process


def fetch(event: bytes, store: DirectorySettings | S3Settings, locations: Path, host: str, working: Connection) -> None:
    """Handle an event until an execution block is staged or has failed."""
    settings = NgasFetcherSettings(
        hosts=(host,), location_directory=locations, transfers=1, stall_timeout=30, claim_seconds=0.2
    )
    bus, ended = MemoryBus(retry=RetryPolicy(delays=(0.1,))), Flag()
    bus.declare(QUEUES)
    bus.listen(lambda said: ended.set() if said.topic in ("artefacts.staged", "restore.failed") else None)
    service = build(objects=open_store(store), settings=settings)
    Runtime(bus=bus, metrics=ServiceMetrics(CollectorRegistry())).add(service)
    working.send("working")
    bus.publish([Event.decode(event)])
    assert ended.wait(SECONDS)
    assert bus.drain(SECONDS)
    bus.close()
    service.close()
