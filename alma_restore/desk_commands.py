"""Commands that talk to a request desk over HTTP: ``status``, ``cancel``, ``renew`` and ``download``."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Annotated
from uuid import UUID

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from alma_restore.desk import Desk
from alma_restore.desk_models import Request
from alma_restore.desk_view import print_delivery, print_request, requests_list, requests_table
from alma_restore.downloading import Downloading
from alma_restore.surroundings import clear_errors
from alma_restore.view import drawn_live
from shared.errors import RestoreError

console = Console()

DeskOption = Annotated[
    str | None, typer.Option("--desk", metavar="URL", help="The request desk; ALMA_RESTORE_DESK_URL if left out")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document a line, for programs")]
RequestArgument = Annotated[UUID, typer.Argument(help="The id that `submit` printed")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(status)
    app.command()(cancel)
    app.command()(renew)
    app.command()(download)


@contextmanager
def desk_at(url: str | None) -> Iterator[Desk]:
    """Open the desk that the option or the environment names."""
    with clear_errors(), Desk(url) as desk:
        yield desk


def status(
    request_id: Annotated[UUID | None, typer.Argument(help="One request; one's newest if left out")] = None,
    desk: DeskOption = None,
    as_json: JsonOption = False,
    active: Annotated[bool, typer.Option(help="Only requests that are under way")] = False,
) -> None:
    """Show one request step by step, or the list of one's requests."""
    with desk_at(desk) as at:
        if request_id is not None:
            found = [at.request(request_id)]
        else:
            found = [request for request, _ in zip(at.requests(active=active or None), range(100), strict=False)]
    if as_json:
        tell(*found)
    elif request_id is not None:
        print_request(console, found[0])
    else:
        console.print(requests_list(found))


def cancel(
    request_id: RequestArgument,
    reason: Annotated[str, typer.Option(help="Why; whoever looks at it later wants to know")] = "",
    desk: DeskOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel a request: whatever works for it stops within seconds."""
    with desk_at(desk) as at:
        found = at.cancel(request_id, reason=reason)
    if as_json:
        tell(found)
    else:
        console.print(requests_list([found]))


def renew(
    request_id: RequestArgument,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Wanted end; another whole time if left out")
    ] = None,
    desk: DeskOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a delivery for longer."""
    with desk_at(desk) as at:
        found = at.renew(request_id, until=until and until.replace(tzinfo=UTC))
    if as_json:
        tell(found)
    else:
        print_delivery(console, found)


def download(
    request_id: RequestArgument,
    folder: Annotated[Path, typer.Option("--to", help="Where the files are put; made if it is missing")] = Path(),
    parallel: Annotated[int, typer.Option(min=1, max=32, help="Pieces that are fetched at a time")] = 4,
    desk: DeskOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch all files of a delivery and check them; given again it goes on where it broke off."""
    with desk_at(desk) as at:
        if as_json:
            paths = at.download(request_id, folder, parallel=parallel)
            print(json.dumps([str(path) for path in paths]))
        else:
            with _shown_progress() as on_progress:
                paths = at.download(request_id, folder, parallel=parallel, on_progress=on_progress)
            for path in paths:
                console.print(f"{path}  SHA-256 is right", highlight=False, soft_wrap=True)


def follow(at: Desk, request_ids: Sequence[UUID], *, as_json: bool = False) -> bool:
    """Show requests live until their ends; tell whether all were delivered."""
    news: Queue[Request | Exception] = Queue()
    for request_id in request_ids:
        Thread(target=_listen, args=(at, request_id, news), name="desk-events", daemon=True).start()
    shown: dict[UUID, Request] = {}
    with _drawn(as_json) as draw:
        while len(shown) < len(request_ids) or not all(request.is_over for request in shown.values()):
            told = news.get()
            if isinstance(told, Exception):
                raise told
            shown[told.id] = told
            draw([shown[each] for each in request_ids if each in shown], told)
    return all(request.is_delivered for request in shown.values())


def tell(*found: BaseModel) -> None:
    """Write what was found, one JSON document a line."""
    for each in found:
        print(each.model_dump_json(), flush=True)


def _listen(at: Desk, request_id: UUID, news: "Queue[Request | Exception]") -> None:
    try:
        for request in at.watch(request_id):
            news.put(request)
    except RestoreError as error:
        news.put(error)


@contextmanager
def _drawn(as_json: bool) -> Iterator[Callable[[Sequence[Request], Request], None]]:
    if as_json:
        yield lambda _all, told: tell(told)
        return
    with drawn_live(console) as live:
        yield lambda requests, _told: live.update(requests_table(requests))


@contextmanager
def _shown_progress() -> Iterator[Callable[[Downloading], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("fetching", total=None)
        yield lambda now: progress.update(task, completed=now.done, total=now.total)
