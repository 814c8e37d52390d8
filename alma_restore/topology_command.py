"""The command ``alma-restore topology``: makes exchanges, queues and bindings in RabbitMQ, and says what differs."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from alma_restore.surroundings import BadArgumentsError, clear_errors, undeclared_bus
from contracts.flow import QUEUES
from shared.bus.applying import Difference
from shared.bus.leftovers import Leftover
from shared.errors import MisconfiguredError

topology = typer.Typer(
    no_args_is_help=True,
    help="Exchanges, queues and bindings in RabbitMQ (set ALMA_RESTORE_BUS__URL). Apply them when you deploy; "
    "services make what is missing when they start, too.",
)
console = Console()
_MANAGEMENT = "ALMA_RESTORE_BUS__MANAGEMENT_URL"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(topology, name="topology")


@topology.command()
def apply(
    remove_stale: Annotated[
        bool,
        typer.Option(
            "--remove-stale",
            help="Remove bindings that should not be there, once no service of an earlier release runs",
        ),
    ] = False,
) -> None:
    """Make what is missing, and say what differs; what exists is never changed.

    Exit codes: 0 all is as it should be now; 1 something differs; 2 the broker cannot be asked.
    """
    with clear_errors(), undeclared_bus() as bus:
        if remove_stale and not bus.compares_bindings:
            raise BadArgumentsError(f"--remove-stale needs {_MANAGEMENT}: without it bindings cannot be compared")
        before = bus.compare(QUEUES)
        try:
            bus.declare(QUEUES)
        except MisconfiguredError:
            if not any(each.is_other for each in before):
                raise
        made = [each for each in before if each.is_missing]
        removed = [each for each in before if remove_stale and each.binding and each.is_removable]
        bus.unbind(each.binding for each in removed if each.binding)
        others = bus.leftovers(QUEUES)
    for each in made:
        console.print(f"made {each.name}", highlight=False)
    for each in removed:
        console.print(f"removed {each.name}", highlight=False)
    _note(others)
    done = [*made, *removed]
    _conclude([each for each in before if each not in done], with_bindings=bus.compares_bindings, changed=len(done))


@topology.command()
def check() -> None:
    """Say what is missing, differs or should not be there, and change nothing.

    Bindings are compared, and queues with our prefix that this release does not have are listed, if
    ALMA_RESTORE_BUS__MANAGEMENT_URL is set. Such a queue is a note: it is no difference.

    Exit codes: 0 all is as it should be; 1 something is not; 2 the broker cannot be asked.
    """
    with clear_errors(), undeclared_bus() as bus:
        differences, others = bus.compare(QUEUES), bus.leftovers(QUEUES)
    _note(others)
    _conclude(differences, with_bindings=bus.compares_bindings)


def _note(leftovers: Sequence[Leftover]) -> None:
    """Show queues that are nobody's: they harm nothing, but what lies in them may be missed."""
    if not leftovers:
        return
    table = Table("queue", "messages", "consumers", title="Not of this release")
    for each in leftovers:
        table.add_row(each.name, str(each.messages), str(each.consumers))
    console.print(table)
    console.print(
        "A queue of an earlier release, or of other settings. One for waiting empties itself in its time; what lies in "
        "another one, nobody of this release takes. See to its messages, then: rabbitmqctl delete_queue NAME"
    )


def _conclude(differences: Sequence[Difference], *, with_bindings: bool, changed: int = 0) -> None:
    if not with_bindings:
        console.print(f"bindings not compared: set {_MANAGEMENT} to RabbitMQ's management plugin", soft_wrap=True)
    if not differences:
        what = "exchange, queue and binding" if with_bindings else "exchange and queue"
        told = f"; {changed} were made or removed" if changed else ""
        console.print(f"RabbitMQ has every {what} as it should be{told}")
        return
    table = Table("name", "what", "is", "should be", title="Not as it should be")
    for each in differences:
        table.add_row(each.name, each.what, each.found, each.wanted)
    console.print(table)
    for advice in _advices(differences):
        console.print(advice)
    raise typer.Exit(1)


def _advices(differences: Sequence[Difference]) -> Iterator[str]:
    if any(each.is_missing for each in differences):
        yield "What is missing is made by: alma-restore topology apply"
    if any(each.is_removable for each in differences):
        yield (
            "A stale binding gives events to who no longer takes them, or hides that nobody does. Once no service of "
            "an earlier release runs, remove it by: alma-restore topology apply --remove-stale"
        )
    if any(each.is_stale and not each.is_removable for each in differences):
        yield "A stale binding with arguments is none of ours: remove it in RabbitMQ's management pages."
    if any(each.is_other for each in differences):
        yield (
            "RabbitMQ cannot change a queue. Use the settings that it was made with, or: stop the services that "
            "read it, move its messages away (rabbitmq-plugins enable rabbitmq_shovel), delete it, and apply again."
        )
