"""The command ``alma-restore topology``: makes exchanges and queues in RabbitMQ, and says what differs."""

from collections.abc import Sequence

import typer
from rich.console import Console
from rich.table import Table

from alma_restore.surroundings import clear_errors, undeclared_bus
from contracts.flow import QUEUES
from shared.bus.applying import Difference
from shared.errors import MisconfiguredError

topology = typer.Typer(
    no_args_is_help=True,
    help="Exchanges and queues in RabbitMQ (set ALMA_RESTORE_BUS__URL). Apply them when you deploy; "
    "services make what is missing when they start, too.",
)
console = Console()


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(topology, name="topology")


@topology.command()
def apply() -> None:
    """Make what is missing, and say what differs; what exists is never changed.

    Exit codes: 0 all is as it should be now; 1 something differs; 2 the broker cannot be asked.
    """
    with clear_errors(), undeclared_bus() as bus:
        before = bus.compare(QUEUES)
        try:
            bus.declare(QUEUES)
        except MisconfiguredError:
            if not any(not each.is_missing for each in before):
                raise
        made = [each.name for each in before if each.is_missing]
    for name in made:
        console.print(f"made {name}", highlight=False)
    _conclude([each for each in before if not each.is_missing], made=len(made))


@topology.command()
def check() -> None:
    """Say what is missing or differs, and change nothing. Bindings cannot be asked for; `apply` makes them again.

    Exit codes: 0 all is as it should be; 1 something is missing or differs; 2 the broker cannot be asked.
    """
    with clear_errors(), undeclared_bus() as bus:
        differences = bus.compare(QUEUES)
    _conclude(differences)


def _conclude(differences: Sequence[Difference], *, made: int = 0) -> None:
    if not differences:
        console.print("RabbitMQ has every exchange and queue as it should be" + (f"; {made} were made" if made else ""))
        return
    table = Table("name", "what", "is", "should be", title="Not as it should be")
    for each in differences:
        table.add_row(each.name, each.what, each.found, each.wanted)
    console.print(table)
    if any(each.is_missing for each in differences):
        console.print("What is missing is made by: alma-restore topology apply")
    if any(not each.is_missing for each in differences):
        console.print(
            "RabbitMQ cannot change a queue. Use the settings that it was made with, or: stop the services that "
            "read it, move its messages away (rabbitmq-plugins enable rabbitmq_shovel), delete it, and apply again."
        )
    raise typer.Exit(1)
