"""All services in one process, with the bus in memory."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry

from contracts.envelope import Event
from contracts.messages import RequestSubmitted
from contracts.messages.parts import RestoreRequest
from shared.bus import RetryPolicy
from shared.bus.memory import MemoryBus
from shared.housekeeping import Housekeeping
from shared.metrics import ServiceMetrics
from shared.objects import ObjectStore
from shared.runtime import Runtime
from shared.service import Resumer, Service, Tidier, source_of


class Embedded:
    """Runs services side by side in this process; a context manager that drains them at the end.

    What was unfinished when an earlier one ended is taken up again, if one of the services keeps a ledger.

    Parameters
    ----------
    services
        What to run.
    objects
        The store that they share; closed at the end.
    retry
        When failed handlers are tried again.
    drain_timeout
        Seconds that handlers get to finish at the end.
    sweep_interval
        Seconds between two looks for what killed writers left in the store; the first is at the start.
    sweep_age
        How long ago a write must have begun to be taken for dead.
    """

    def __init__(
        self,
        *,
        services: Sequence[Service],
        objects: ObjectStore,
        retry: RetryPolicy | None = None,
        drain_timeout: float = 10.0,
        sweep_interval: float = 3600.0,
        sweep_age: timedelta = timedelta(days=7),
    ) -> None:
        retry = retry or RetryPolicy()
        self._services = services
        self._objects = objects
        self._drain_timeout = drain_timeout
        self._bus = MemoryBus(retry=retry)
        tidiers = [service for service in services if isinstance(service, Tidier)]
        self._housekeeping = Housekeeping(
            objects=objects, interval=sweep_interval, age=sweep_age, first=0.0, tidiers=tidiers
        )
        self._open = ExitStack()
        self._runtime = Runtime(bus=self._bus, metrics=ServiceMetrics(CollectorRegistry()), objects=objects)

    def __enter__(self) -> Self:
        self._open.enter_context(self._housekeeping)
        for service in self._services:
            self._runtime.add(service)
        for service in self._services:
            if isinstance(service, Resumer):
                service.take_up_again(self._bus.publish)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
        self._runtime.rest()
        self._bus.drain(self._drain_timeout if kind is None else 0.0)
        self._bus.close()
        for service in self._services:
            service.close()
        self._objects.close()

    def submit(self, request: RestoreRequest, *, source: str = "embedded") -> None:
        """Say that somebody asks for data."""
        self._bus.publish([Event.first(RequestSubmitted(request=request), source=source_of(source))])

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Show every event from now on to an onlooker; returns what ends that."""
        return self._bus.listen(listener)
