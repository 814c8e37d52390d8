"""The command ``alma-restore expire``: ends deliveries whose time is over, or tells what would be done."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from alma_restore.surroundings import clear_errors, deployment_bus
from shared.errors import MisconfiguredError
from shared.logs import configure_logs
from shared.objects import open_store
from shared.settings import StoreAccess

if TYPE_CHECKING:
    from services.request_desk.deliveries.expirer import Report
    from services.request_desk.deliveries.opening import DeliveryDesk

console = Console()


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(expire)


def expire(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what is due at this moment; change nothing")] = False,
) -> None:
    """End deliveries whose time is over, and remove from the store what nobody uses any more.

    The request desk does this by itself every few minutes; here is one round of it, or with --dry-run what the
    next rounds would do. Set the store's settings and ALMA_RESTORE_REQUEST_DESK_LEDGER_URL, since requests under way
    keep what they need; the times are in ALMA_RESTORE_REQUEST_DESK_DELIVERIES_…
    """
    with clear_errors(), _desk() as desk:
        if dry_run:
            show(desk.expirer.foretell(), is_done=False)
            return
        with deployment_bus() as bus:
            desk.voice.begin(bus.publish)
            show(desk.expirer.run(), is_done=True)


@contextmanager
def _desk() -> Iterator["DeliveryDesk"]:
    """Open store and ledger that the environment names, and the deliveries in them."""
    configure_logs(form="text", level="WARNING", stream=sys.stderr)
    try:
        from services.request_desk.deliveries.opening import open_deliveries
        from services.request_desk.ledger.settings import LedgerSettings
        from services.request_desk.ledger.store import SqlLedger
    except ModuleNotFoundError as error:
        raise MisconfiguredError(f"this needs {error.name!r}: pip install 'alma-restore[request-desk]'") from error
    with (
        closing(SqlLedger(url=LedgerSettings().address())) as ledger,
        closing(open_store(StoreAccess().store)) as objects,
    ):
        yield open_deliveries(objects=objects, ledger=ledger, records=None)


def show(report: "Report", *, is_done: bool) -> None:
    """Show what a round did, or would do."""
    rows = [
        *(("remind its user of", f"delivery {token}", "") for token in report.reminded),
        *(("end", f"delivery {token}", "") for token in report.closed),
        *(("say the end of", f"delivery {token}", "") for token in report.ended),
        *(("hide until it is removed", folder, "") for folder in report.tidied.condemned),
        *(("remove", folder, f"{size} bytes") for folder, size in report.tidied.removed),
    ]
    if not rows:
        console.print("Nothing is due")
        return
    table = Table("what", "of what", "", title="Done" if is_done else "Due; nothing was changed", title_justify="left")
    for row in rows:
        table.add_row(*row)
    console.print(table)
