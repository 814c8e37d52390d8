"""Show requests on a terminal: a live table of requests, their execution blocks and steps."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.filesize import decimal
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from alma_restore.progress import BlockProgress, BlockState, RequestProgress, RequestState
from contracts.envelope import Event

_STATE_STYLE = {
    RequestState.DELIVERED: "green",
    RequestState.REFUSED: "yellow",
    RequestState.WITHHELD: "yellow",
    RequestState.FAILED: "red",
}
_BLOCK_STYLE = {BlockState.RESTORED: "green", BlockState.REUSED: "green", BlockState.FAILED: "red"}


@contextmanager
def drawn_live(console: Console) -> Iterator[Live]:
    """Draw anew over what was drawn before; what is printed afterwards begins on a line of its own, in a file too."""
    with Live(console=console, refresh_per_second=8) as live:
        yield live
    if not console.is_terminal:
        console.line()


def requests_table(requests: Sequence[tuple[str, RequestProgress]]) -> RenderableType:
    """Lay out requests, each with a title, and below it its blocks while they are on their way.

    What became of a request is one line as long as others are under way, so that they stay on the screen.
    """
    table = Table(expand=True, pad_edge=False, box=None)
    table.add_column("request", ratio=4, overflow="fold")
    # As wide as what is in it: on a terminal of 80 columns reason codes and UIDs stay whole.
    table.add_column("state", max_width=28)
    table.add_column("", ratio=3)
    whole = all(progress.state.is_end for _, progress in requests)
    for title, progress in requests:
        table.add_row(title, state_text(progress), _note(progress, whole=whole))
        if not progress.state.is_end:
            for block in progress.blocks.values():
                table.add_row(f"  {block.eb_uid}", _block_text(block), _bar(block))
    return Group(table)


def state_text(progress: RequestProgress) -> Text:
    """Say a request's state in its colour, with the reason code where there is one."""
    reason = f" ({progress.reason.value})" if progress.reason else ""
    return Text(f"{progress.state.value}{reason}", style=_STATE_STYLE.get(progress.state, "cyan"))


def counted(count: int, noun: str) -> str:
    """Say how many there are of something."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _note(progress: RequestProgress, *, whole: bool) -> Text:
    if progress.waiting:
        return Text(f"waits: {progress.waiting}", style="yellow", overflow="ellipsis", no_wrap=True)
    if progress.delivery is not None:
        note = counted(len(progress.delivery.files), "file")
        return Text(f"{note}, found pre-existing" if progress.delivery.reused else note, style="green")
    if progress.detail:
        return Text(progress.detail) if whole else Text(progress.detail, overflow="ellipsis", no_wrap=True)
    done = sum(block.state.is_end for block in progress.blocks.values())
    blocks = f"{done} of {counted(len(progress.blocks), 'execution block')}" if progress.blocks else ""
    return Text("; ".join(filter(None, (blocks, *progress.notes))))


def _block_text(block: BlockProgress) -> Text:
    step = f": {block.step}" if block.step and block.state is not BlockState.FETCHING else ""
    return Text(f"{block.state.value}{step}", style=_BLOCK_STYLE.get(block.state, "dim"))


def _clock(time: datetime) -> str:
    """Tell a time as people here read it, with the day if that is another."""
    local = time.astimezone()
    return f"{local:%H:%M}" if local.date() == datetime.now(UTC).astimezone().date() else f"{local:%-d %b %H:%M}"


def _bar(block: BlockProgress) -> RenderableType:
    if block.state.is_end or not (block.percent or block.expected_end):
        return Text("")
    grid = Table.grid(padding=(0, 1))
    parts = [decimal(block.written)] if block.written is not None else []
    parts += [f"until {_clock(block.expected_end)}"] if block.expected_end else []
    grid.add_row(ProgressBar(total=100, completed=block.percent, width=12), Text(", ".join(parts), no_wrap=True))
    return grid


def event_line(event: Event) -> Text:
    """Tell one event in one line: when, what, about what, by whom."""
    local: datetime = event.time.astimezone()
    line = Text()
    line.append(f"{local:%H:%M:%S} ", style="dim")
    line.append(f"{event.topic:20} ", style="cyan")
    line.append(f"{event.subject:28} ")
    line.append(f"{event.source.rsplit('/', 1)[-1]:20} ", style="dim")
    line.append(event_note(event))
    return line


def event_note(event: Event) -> str:
    """Say what is worth knowing of an event beyond its topic."""
    data = event.data.model_dump(mode="json")
    names = (
        *("reason", "detail", "entitlement", "step", "percent", "bytes_written"),
        *("service", "cause", "address", "runner", "reused"),
    )
    holders = (data, data.get("failure") or {}, data.get("block") or {})
    found = {name: holder[name] for holder in holders for name in names if holder.get(name) not in (None, "", False)}
    if end := getattr(event.data, "expected_end", None):
        found["until"] = _clock(end)
    return " ".join(f"{name}={value}" for name, value in found.items())
