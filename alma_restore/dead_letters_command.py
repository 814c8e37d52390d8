"""The command ``alma-restore dead-letters``: events that services gave up, for a person to decide on."""

import getpass
from collections.abc import Sequence
from datetime import UTC
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from alma_restore.surroundings import BadArgumentsError, clear_errors, undeclared_bus
from contracts.flow import QUEUES
from shared.bus import Bus, DeadEvent
from shared.dead_letters import body_text, event_in, record_drop
from shared.errors import RestoreError
from shared.objects import ObjectStore, open_store
from shared.settings import StoreAccess

dead_letters = typer.Typer(
    no_args_is_help=True,
    help="Events that a service gave up: nothing happens for their requests until somebody replays or drops them. "
    "Find the cause with `show`, remove it, then `replay`. "
    "Set ALMA_RESTORE_BUS__URL, and the store's settings to see tracebacks.",
)
console = Console()
_NONE = "no dead letters"

Keys = Annotated[list[str] | None, typer.Argument(metavar="[KEY]...", help="Keys from `list`, or their beginnings")]
Queue = Annotated[str | None, typer.Option("--queue", help=f"Only this service's: {', '.join(QUEUES)}")]
Every = Annotated[bool, typer.Option("--all", help="All dead letters, or all of --queue")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(dead_letters, name="dead-letters")


@dead_letters.command("list")
def show_list(queue: Queue = None) -> None:
    """List what was given up, by service, oldest first."""
    with clear_errors(), undeclared_bus() as bus:
        found = _found(bus, queue)
    if not found:
        console.print(_NONE)
        return
    for each in found:
        _print_short(each)


@dead_letters.command()
def show(key: Annotated[str, typer.Argument(help="Key from `list`, or its beginning")], queue: Queue = None) -> None:
    """Show one dead letter whole: why it was given up, its message, and the traceback if it was kept."""
    with clear_errors(), undeclared_bus() as bus:
        for each in _chosen(_found(bus, queue), [key], every=False):
            _print_whole(each)


@dead_letters.command()
def replay(wanted: Keys = None, every: Every = False, queue: Queue = None) -> None:
    """Give dead letters to their services again, as if they had never failed; their ids stay the same.

    What was already done for them is found and not done twice.
    """
    with clear_errors(), undeclared_bus() as bus:
        groups = _by_queue(_chosen(_found(bus, queue), wanted or [], every=every))
        for each in groups:
            count = bus.replay(each[0].queue, [letter.key for letter in each])
            console.print(f"{each[0].queue}: {count} replayed")
    if not groups:
        console.print(_NONE)


@dead_letters.command()
def drop(
    note: Annotated[str, typer.Option(help="Why they are dropped", prompt="Why are they dropped")],
    wanted: Keys = None,
    every: Every = False,
    queue: Queue = None,
) -> None:
    """Remove dead letters for good, with a note; nothing more happens for their requests.

    Note, reason and message go to the log, and to the object store if its settings are there.
    """
    with clear_errors(), undeclared_bus() as bus:
        if not note.strip():
            raise BadArgumentsError("say in --note why they are dropped: whoever asks for them later wants to know")
        chosen = _chosen(_found(bus, queue), wanted or [], every=every)
        for each in chosen:
            _record(each, note.strip())
        for group in _by_queue(chosen):
            count = bus.drop(group[0].queue, [letter.key for letter in group])
            console.print(f"{group[0].queue}: {count} dropped")
    if not chosen:
        console.print(_NONE)


def _found(bus: Bus, queue: str | None) -> list[DeadEvent]:
    if queue is not None and queue not in QUEUES:
        raise BadArgumentsError(f"there is no service {queue!r}; there are {', '.join(QUEUES)}")
    return [each for name in ([queue] if queue else QUEUES) for each in bus.dead_letters(name)]


def _chosen(found: Sequence[DeadEvent], wanted: Sequence[str], *, every: bool) -> list[DeadEvent]:
    """Choose by keys or their beginnings; each must be there, and mean one message."""
    if every == bool(wanted):
        raise BadArgumentsError("name dead letters by their keys, or say --all")
    if every:
        return list(found)
    return [each for beginning in wanted for each in _meant(found, beginning)]


def _meant(found: Sequence[DeadEvent], beginning: str) -> list[DeadEvent]:
    meant = [each for each in found if each.key.startswith(beginning)]
    if not meant:
        raise BadArgumentsError(f"no dead letter has the key {beginning}: see `alma-restore dead-letters list`")
    if len({(each.queue, each.key) for each in meant}) > 1:
        several = ", ".join(f"{each.key} of {each.queue}" for each in meant)
        raise BadArgumentsError(f"{beginning} begins several: {several}; give more of the key, or --queue")
    return meant


def _by_queue(chosen: Sequence[DeadEvent]) -> list[list[DeadEvent]]:
    groups = [[each for each in chosen if each.queue == queue] for queue in QUEUES]
    return [group for group in groups if group]


def _about(letter: DeadEvent) -> tuple[str, str]:
    event = event_in(letter)
    return (event.topic, str(event.correlationid)) if event else ("unreadable", "")


def _print_short(letter: DeadEvent) -> None:
    """Show one in lines of its own: in a table on 80 columns keys, services and requests would be cut off."""
    topic, request = _about(letter)
    since = (
        f"first failure {letter.first_failure.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, " if letter.first_failure else ""
    )
    tries = "1 try" if letter.attempt == 1 else f"{letter.attempt} tries"
    console.print(Text(f"{letter.key}  {letter.queue}  {topic}", style="bold"), soft_wrap=True)
    about = f"request {request}\n" if request else ""
    for line in f"{about}{since}{tries}\n{letter.code}: {letter.reason}".splitlines():
        console.print(Padding(Text(line), (0, 0, 0, 4), expand=False))


def _print_whole(letter: DeadEvent) -> None:
    table = Table(show_header=False, box=None)
    topic, request = _about(letter)
    for name, value in (
        ("key", letter.key),
        ("service", letter.queue),
        ("event", topic),
        ("request", request),
        ("code", letter.code),
        ("reason", letter.reason),
        ("tries", str(letter.attempt)),
        ("first failure", letter.first_failure.isoformat() if letter.first_failure else "the broker gave it up"),
        ("traceback", letter.artefact or "none was kept"),
    ):
        table.add_row(name, Text(value))
    console.print(table)
    console.print(body_text(letter), markup=False, highlight=False, soft_wrap=True)
    if letter.artefact:
        console.print(_traceback(letter.artefact), markup=False, highlight=False, soft_wrap=True)


def _traceback(key: str) -> str:
    if (store := _store()) is None:
        return f"The traceback lies in the object store under {key}; set ALMA_RESTORE_STORE__KIND … to see it here."
    try:
        return store.get(key).decode(errors="replace")
    except RestoreError as error:
        return f"The traceback cannot be read: {error}"
    finally:
        store.close()


def _record(letter: DeadEvent, note: str) -> None:
    """Keep what is dropped, and why, where it outlives the terminal."""
    store = _store()
    if store is None:
        console.print("[yellow]no object store is set: note and message are in this log only[/]")
    try:
        record_drop(letter, note=note, by=getpass.getuser(), objects=store)
    finally:
        if store is not None:
            store.close()


def _store() -> ObjectStore | None:
    try:
        return open_store(StoreAccess().store)
    except ValidationError:
        return None
