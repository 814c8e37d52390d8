"""The command ``alma-restore ledger``: brings the ledger's tables to this release, and makes the ledger anew."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import Progress

from alma_restore.surroundings import BadArgumentsError, clear_errors, deployment_bus
from shared.errors import MisconfiguredError
from shared.logs import configure_logs
from shared.settings import BusAccess

if TYPE_CHECKING:
    from services.request_desk.ledger.records import StuckRequest
    from services.request_desk.ledger.store import SqlLedger

ledger = typer.Typer(
    no_args_is_help=True,
    help="What is known of every request (set ALMA_RESTORE_REQUEST_DESK_LEDGER_URL, and for all but `migrate` and "
    "`stuck` ALMA_RESTORE_BUS__URL).",
)
console = Console()
DESK = "request-desk"

RequestId = Annotated[UUID, typer.Argument(metavar="REQUEST", help="The request's id")]
Reason = Annotated[str, typer.Option(help="Why; it stands in the ledger", prompt="Why")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(ledger, name="ledger")


@ledger.command()
def migrate() -> None:
    """Make the ledger's tables, or bring them to this release; nothing is lost."""
    with clear_errors(), _installed():
        from services.request_desk.ledger.migrating import migrate as bring
        from services.request_desk.ledger.settings import LedgerSettings

        done = bring(LedgerSettings().address())
    if done.before == done.after:
        console.print(f"The tables are those of this release: {done.after}")
    else:
        console.print(f"Migrated from {done.before or 'nothing'} to {done.after}")


@ledger.command()
def rebuild(
    empty: Annotated[
        bool, typer.Option("--empty", help="Forget first all that events told; what the journal lost is lost then")
    ] = False,
) -> None:
    """Read the journal of all events from its beginning, record what is missing, and fold every request anew.

    It may run beside the desk. Downloads are told by no event, and stay as they are.
    """
    with clear_errors(), _opened() as opened, Progress(console=console, transient=True) as progress:
        from services.request_desk.ledger.rebuilding import rebuild as read_again

        task = progress.add_task("events", total=None)
        done = read_again(
            opened,
            settings=BusAccess().bus,
            empty=empty,
            tell=lambda read, of: progress.update(task, completed=read, total=of),
        )
        requests = opened.requests().total
    console.print(f"{done.read} events read; {requests} requests in the ledger; {done.otherwise} came out otherwise")


@ledger.command()
def stuck() -> None:
    """List the requests for which nothing went forward for longer than their step may take.

    Exit codes: 0 there are none; 1 there are some; 2 the ledger cannot be read.
    """
    with clear_errors(), _opened() as opened:
        found, now = opened.stuck(), opened.now()
    if not found:
        console.print("no request is stuck")
        return
    for each in found:
        _print_stuck(each, now)
    raise typer.Exit(1)


@ledger.command("try-now")
def send_on(request: RequestId, reason: Reason) -> None:
    """Send the events of a request that nothing followed on again, with the ids that they have."""
    with clear_errors(), _opened() as opened, deployment_bus() as bus:
        from services.request_desk.ledger.acting import try_now

        if not reason.strip():
            raise BadArgumentsError("say in --reason why: whoever looks at the request later wants to know")
        sent = try_now(request, by=getpass.getuser(), reason=reason.strip(), ledger=opened, publish=bus.publish)
    console.print("1 event sent on again" if len(sent) == 1 else f"{len(sent)} events sent on again")


def _print_stuck(stuck: "StuckRequest", now: datetime) -> None:
    """Show one in two lines: in a table on 80 columns the id would be cut off, by which it is sent on."""
    request, hours = stuck.request, (now - stuck.since).total_seconds() / 3600
    block = f" of {stuck.eb_uid}" if stuck.eb_uid else ""
    again = f", sent on again by {request.resent[-1].by}" if request.resent else ""
    console.print(f"{request.id}  {request.mous}", style="bold", highlight=False, soft_wrap=True)
    told = f"    {stuck.step}{block}: for {hours:.1f} h, limit {stuck.limit / 3600:.1f} h{again}"
    console.print(told, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _opened() -> "Iterator[SqlLedger]":
    with _installed():
        from services.request_desk.ledger.keeping import open_ledger
        from services.request_desk.ledger.settings import LedgerSettings

        opened = open_ledger(LedgerSettings())
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def _installed() -> Iterator[None]:
    """Say which extra is needed if the ledger's libraries are not there; logs do not mix with the answers."""
    configure_logs(form="text", level="WARNING", stream=sys.stderr)
    try:
        yield
    except ModuleNotFoundError as error:
        raise MisconfiguredError(
            f"the ledger needs the package {error.name!r}: pip install 'alma-restore[{DESK}]'"
        ) from error
