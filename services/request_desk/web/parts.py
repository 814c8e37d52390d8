"""What the application stands on: the ledger, the deliveries, the store, and the way to say something."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ParamSpec, TypeVar

from fastapi import Depends, Request

from contracts.envelope import Event
from services.request_desk.deliveries.base import Deliveries
from services.request_desk.ledger.base import Ledger
from services.request_desk.web.foretelling import Foreteller
from services.request_desk.web.limits import Streams
from services.request_desk.web.live import Live
from services.request_desk.web.settings import WebSettings
from services.request_desk.web.views import Shown
from shared.bus import Bus
from shared.casa_catalogue.catalogue import CasaCatalogue
from shared.objects import ObjectStore

P = ParamSpec("P")
T = TypeVar("T")

Publish = Callable[[Sequence[Event]], None]


class Workers:
    """Threads for all that waits for a database, a store or the bus, so that the event loop never does."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="web")

    async def do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something in one of the threads."""
        here = copy_context()  # its logs and spans are those of the call that it is done for
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(here.run, work, *args, **kwargs))

    def close(self) -> None:
        """End the threads once they are done."""
        self._pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the application stands on.

    Attributes
    ----------
    ledger
        Tells of requests.
    objects
        Keeps marks of cancelled requests, and jobs that were not begun.
    publish
        Says events.
    bus
        For operators: queues and dead letters.
    deliveries
        Shows and renews deliveries; None if they are served elsewhere.
    foreteller
        Says what a request would meet; None if the archive's database is not read here.
    catalogue
        Which CASA restores what.
    """

    settings: WebSettings
    base_url: str
    ledger: Ledger
    objects: ObjectStore
    publish: Publish
    workers: Workers
    live: Live
    streams: Streams
    shown: Shown
    bus: Bus | None = None
    deliveries: Deliveries | None = None
    foreteller: Foreteller | None = None
    catalogue: CasaCatalogue | None = None

    def close(self) -> None:
        """End the threads, and watch the ledger no more."""
        self.live.close()
        self.workers.close()


def make_parts(
    *,
    settings: WebSettings,
    base_url: str,
    ledger: Ledger,
    objects: ObjectStore,
    publish: Publish,
    bus: Bus | None = None,
    deliveries: Deliveries | None = None,
    foreteller: Foreteller | None = None,
    catalogue: CasaCatalogue | None = None,
) -> Parts:
    """Put the parts together; see `Parts`."""
    workers = Workers(settings.threads)
    return Parts(
        settings=settings,
        base_url=base_url,
        ledger=ledger,
        objects=objects,
        publish=publish,
        workers=workers,
        live=Live(ledger=ledger, read=lambda request_id: workers.do(ledger.request, request_id)),
        streams=Streams(per_user=settings.streams_per_user, in_all=settings.streams),
        shown=Shown(),
        bus=bus,
        deliveries=deliveries,
        foreteller=foreteller,
        catalogue=catalogue,
    )


def parts_of(request: Request) -> Parts:
    """Return what this application stands on."""
    found: Parts = request.app.state.parts
    return found


PartsHere = Annotated[Parts, Depends(parts_of)]
