"""Show what the request desk tells on a terminal: live tables of requests, deliveries, downloads."""

from collections.abc import Sequence
from datetime import UTC, timedelta

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.filesize import decimal
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from alma_restore.desk_models import Block, Delivery, DeliveryShort, Request, Step

_STYLES = {"delivered": "green", "failed": "red", "refused": "yellow", "withheld": "yellow", "cancelled": "dim"}
_STANDINGS = {"now": "goes on", "ahead": "to come", "ended": "ended here", "left_out": "left out"}


def requests_table(requests: Sequence[Request]) -> RenderableType:
    """Lay out requests, each with its execution blocks while they are on their way."""
    whole = (Column("request", no_wrap=True), Column("state", no_wrap=True))
    table = Table(*whole, Column(overflow="fold"), box=None, pad_edge=False, expand=True)
    for request in requests:
        table.add_row(f"{request.mous}  {request.ticket or ''}", _state(request, "\n"), _note(request))
        for block in () if request.is_over else request.blocks:
            table.add_row(f"  {block.eb_uid}", _block_state(block), _bar(block))
    return Group(table)


def requests_list(requests: Sequence[Request]) -> Table:
    """Lay out requests, each with its id whole: other commands want it."""
    whole = (Column("id, MOUS, ticket", overflow="fold"), Column("state", no_wrap=True), Column("submitted\n(UTC)"))
    table = Table(*whole, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for request in requests:
        about = " ".join(filter(None, (request.mous, request.ticket)))
        since = f"{request.submitted:%Y-%m-%d\n%H:%M}" if request.submitted else ""
        table.add_row(f"{request.id}\n{about}", _state(request, "\n"), since)
    return table


def print_request(console: Console, request: Request) -> None:
    """Tell all that is known of a request: the steps of its way, its execution blocks, what waits for its user."""
    console.print(f"{request.id}  {request.mous or ''}  {request.ticket or ''}", highlight=False, soft_wrap=True)
    console.print(_state(request), _note(request), soft_wrap=True)
    for note in request.notes:
        console.print(note, highlight=False, soft_wrap=True)
    steps = Table("step", "", "", "took", box=None, pad_edge=False)
    for step in request.steps:
        steps.add_row(step.step, _STANDINGS.get(step.standing, step.standing), _blocks_behind(step), _took(step))
    blocks = Table(Column("execution block", no_wrap=True), "state", "", box=None, pad_edge=False)
    for block in request.blocks:
        size = decimal(block.size) if block.size is not None else _bar(block)
        blocks.add_row(block.eb_uid, _block_state(block), block.text or size)
    for table in (steps, blocks):
        if table.row_count:
            console.print()
            console.print(table)
    if request.delivery is not None:
        console.print()
        console.print(request.delivery.address, highlight=False, soft_wrap=True)


def print_delivery(console: Console, delivery: Delivery) -> None:
    """Tell address, end and files of a delivery."""
    console.print(delivery.address, highlight=False, soft_wrap=True)
    console.print(f"until {delivery.expires:%Y-%m-%d %H:%M} UTC" + (", kept" if delivery.kept else ""))
    for file in delivery.files:
        console.print(f"  {file.name}  {decimal(file.size)}", highlight=False, soft_wrap=True)


def _blocks_behind(step: Step) -> str:
    return "" if step.blocks is None else f"{step.blocks_done or 0} of {step.blocks}"


def _took(step: Step) -> str:
    return "" if step.seconds is None else str(timedelta(seconds=round(step.seconds)))


def _block_state(block: Block) -> Text:
    step = "" if block.state in ("restored", "failed") else block.activity or block.step or ""
    return Text(f"{block.state} {step}".strip(), style="dim")


def _waiting_files(delivery: DeliveryShort) -> str:
    """Say what waits; its address is told where it can be copied, on a line of its own."""
    if delivery.removed is not None:
        return f"removed {delivery.removed:%Y-%m-%d %H:%M} UTC"
    files = f"{delivery.files} file{'' if delivery.files == 1 else 's'}"
    return f"{files}, {decimal(delivery.size)}, until {delivery.expires:%Y-%m-%d %H:%M} UTC"


def _bar(block: Block) -> RenderableType:
    if block.percent is None:
        return ""
    grid = Table.grid(padding=(0, 1))
    written = "" if block.bytes_written is None else decimal(block.bytes_written)
    grid.add_row(ProgressBar(total=100, completed=block.percent, width=12), Text(written, no_wrap=True))
    return grid


def _state(request: Request, between: str = " ") -> Text:
    reason = f"{between}({request.reason})" if request.reason else ""
    return Text(f"{request.state}{reason}", style=_STYLES.get(request.state, "cyan"))


def _note(request: Request) -> RenderableType:
    if request.waiting is not None and not request.is_over:
        return Text(f"waits for what {request.waiting.service} needs", style="yellow")
    if request.is_over:
        return Text(request.text or (_waiting_files(request.delivery) if request.delivery else ""))
    parts = [f"{request.percent:.0f} %"] if request.percent is not None else []
    parts += [f"until {request.expected_end.astimezone(UTC):%H:%M} UTC"] if request.expected_end else []
    return Text(", ".join(parts))
