"""Show what the request desk tells on a terminal: live tables of requests, deliveries, downloads."""

from collections.abc import Sequence
from datetime import UTC

from rich.console import Console, Group, RenderableType
from rich.filesize import decimal
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from alma_restore.desk_models import Block, Delivery, Request

_STYLES = {"delivered": "green", "failed": "red", "refused": "yellow", "withheld": "yellow", "cancelled": "dim"}


def requests_table(requests: Sequence[Request]) -> RenderableType:
    """Lay out requests, each with its execution blocks while they are on their way."""
    table = Table("request", "state", "", box=None, pad_edge=False, expand=True)
    for request in requests:
        table.add_row(f"{request.mous}  {request.ticket or ''}", _state(request), _note(request))
        for block in () if request.is_over else request.blocks:
            step = block.activity or block.step or ""
            table.add_row(f"   {block.eb_uid}", Text(f"{block.state} {step}", style="dim"), _bar(block))
    return Group(table)


def requests_list(requests: Sequence[Request]) -> Table:
    """Lay out requests, each with its id whole: other commands want it."""
    ticket, state = Column("ticket", overflow="fold"), Column("state", overflow="fold")
    table = Table(Column("id, MOUS", no_wrap=True), ticket, state, "submitted (UTC)")
    for request in requests:
        since = f"{request.submitted:%Y-%m-%d %H:%M}" if request.submitted else ""
        table.add_row(f"{request.id}\n{request.mous or ''}", request.ticket or "", _state(request), since)
    return table


def print_delivery(console: Console, delivery: Delivery) -> None:
    """Tell address, end and files of a delivery."""
    console.print(delivery.address, highlight=False, soft_wrap=True)
    console.print(f"until {delivery.expires:%Y-%m-%d %H:%M} UTC" + (", kept" if delivery.kept else ""))
    for file in delivery.files:
        console.print(f"  {file.name}  {decimal(file.size)}", highlight=False, soft_wrap=True)


def _bar(block: Block) -> RenderableType:
    if block.percent is None:
        return ""
    grid = Table.grid(padding=(0, 1))
    written = "" if block.bytes_written is None else f"{decimal(block.bytes_written)} written"
    grid.add_row(ProgressBar(total=100, completed=block.percent, width=24), Text(written, no_wrap=True))
    return grid


def _state(request: Request) -> Text:
    reason = f" ({request.reason})" if request.reason else ""
    return Text(f"{request.state}{reason}", style=_STYLES.get(request.state, "cyan"))


def _note(request: Request) -> RenderableType:
    if request.waiting is not None and not request.is_over:
        return Text(f"waits for what {request.waiting.service} needs", style="yellow")
    if request.is_over:
        return Text(request.text or (request.delivery.address if request.delivery else ""), overflow="fold")
    parts = [f"{request.percent:.0f} %"] if request.percent is not None else []
    parts += [f"until {request.expected_end.astimezone(UTC):%H:%M} UTC"] if request.expected_end else []
    return Text(", ".join(parts))
