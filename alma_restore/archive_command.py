"""The commands ``alma-restore archive check``, ``alma-restore refresh`` and ``alma-restore restorable``."""

from collections.abc import Callable, Sequence
from threading import Event as Flag
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from alma_restore.surroundings import BadArgumentsError, clear_errors
from shared.errors import DependencyAwayError

if TYPE_CHECKING:
    from alma_restore.refreshing import Telling
    from shared.archive_db.schema import Difference
    from shared.calibration_status import Refreshed
    from shared.not_restorable import RefusedYet

console = Console()


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    archive = typer.Typer(no_args_is_help=True, help="The archive's metadata database.")
    archive.command("check")(check)
    # Without a second command typer would take the group for the command.
    archive.callback()(lambda: None)
    app.add_typer(archive, name="archive")
    app.command("refresh")(refresh)
    app.command("restorable")(restorable)


def check() -> None:
    """Check the archive's live database against what is read of it: tables, columns, types, grants, values.

    The first thing to run at a new site. Reads ALMA_RESTORE_ARCHIVE_DB_… and
    ALMA_RESTORE_ENTITLEMENT_CHECKER_…; writes nothing. Exit code 0: all is as
    expected; 1: there are differences, which are shown; 2: the database cannot
    be reached or refuses the login.
    """
    with clear_errors():
        from services.entitlement_checker.settings import EntitlementCheckerSettings
        from shared.archive_db import ArchiveDatabase
        from shared.archive_db.schema import check_schema, columns_read

        settings = EntitlementCheckerSettings()
        expected = columns_read(delivery_column=settings.delivery_column, own_delegees=settings.delegee_query is None)
        database = ArchiveDatabase(settings=settings.database)
        try:
            differences = check_schema(database, expected)
        finally:
            database.close()
    columns = sum(map(len, expected.values()))
    if differences:
        console.print(_differences(differences))
        console.print(f"{len(differences)} differences in {len(expected)} tables with {columns} columns.")
        raise typer.Exit(1)
    console.print(f"As expected: {len(expected)} tables with {columns} columns.")


def _differences(differences: "Sequence[Difference]") -> Table:
    table = Table("Table", "Column", "Expected", "Found", "What to do", title="The archive's database")
    for one in differences:
        table.add_row(one.table, one.column, one.expected, one.found, one.advice)
    return table


def refresh(
    full: Annotated[bool, typer.Option("--full", help="Read all MOUSs, not only what has left a trace")] = False,
    only_show: Annotated[
        bool, typer.Option("--only-show", help="Show who can be told that a restore is possible, and tell nobody")
    ] = False,
    told: Annotated[
        bool, typer.Option("--told", help="The users that are shown were told by a person: no mail is sent to them")
    ] = False,
    every: Annotated[float | None, typer.Option(min=1, help="Go on, every so many seconds, until interrupted")] = None,
) -> None:
    """Bring the local record of calibration status up to date, and have everybody told who waited for a MOUS.

    Whose request was refused as not restorable yet, and whose MOUS can be restored
    now, gets one mail: by the event `mous.restorable` and the notifier. A full pass
    is made when none was made for a day. Reads ALMA_RESTORE_ARCHIVE_DB_…,
    ALMA_RESTORE_CALIBRATION_STATUS_…, ALMA_RESTORE_STORE__… and, if somebody is to
    be told, ALMA_RESTORE_BUS__…; the archive is only read.
    """
    from alma_restore.refreshing import Telling, refresher

    with clear_errors():
        if only_show and told:
            raise BadArgumentsError("--only-show and --told exclude each other")
        telling = Telling.NOBODY if only_show else Telling.BY_PERSON if told else Telling.BY_EVENT
        with refresher(telling=telling) as refresh_once:
            if every is None:
                _show(refresh_once(full=full), telling)
            else:
                _repeat(lambda: _show(refresh_once(full=full), telling), every)


def restorable(mouss: Annotated[list[str], typer.Argument(metavar="MOUS…", help="UIDs of MOUSs")]) -> None:
    """Say of MOUSs whether they can be restored, by the local record alone: as `alma-restore refresh` last found.

    Yes: the MOUS is delivered and its calibration is stored. Who may have it is
    another question. Reads ALMA_RESTORE_CALIBRATION_STATUS_PATH and
    ALMA_RESTORE_METADATA_RESOLVER_RESTORE_MANUAL; no database is asked. Exit code
    0: each can be; 1: one cannot, or is not known in the record; 2: there is no
    record.
    """
    with clear_errors():
        from alma_restore.refreshing import restorable as look_up
        from contracts.identifiers import InvalidIdentifierError, MousUid

        try:
            uids = [MousUid(text) for text in mouss]
        except InvalidIdentifierError as error:
            raise BadArgumentsError(str(error)) from error
        found = look_up(uids)
    words = {True: "yes", False: "no", None: "not known"}
    for uid, answer in found.items():
        console.print(f"{uid}  {words[answer]}", highlight=False)
    if not all(found.values()):
        raise typer.Exit(1)


def _repeat(refresh_once: Callable[[], None], every: float) -> None:
    pause = Flag()
    try:
        while True:
            try:
                refresh_once()
            except DependencyAwayError as error:
                console.print(f"{error} (the next try is in {every:g} s)", soft_wrap=True)
            pause.wait(every)
    except KeyboardInterrupt:
        return


def _show(done: "Refreshed", telling: "Telling") -> None:
    kind = "Full pass" if done.is_full else "Refresh"
    changes = ", ".join(f"{number} {name}" for name, number in sorted(done.changes.items())) or "nothing has changed"
    console.print(f"{kind}: {done.read} MOUSs read in {done.seconds:.1f} s; {changes}.", highlight=False)
    if done.can_be_told:
        console.print(_can_be_told(done.can_be_told, telling.value))


def _can_be_told(refused: "Sequence[RefusedYet]", title: str) -> Table:
    table = Table("MOUS", "Project", "User", "E-mail", "Ticket", "Asked", title=title)
    for one in refused:
        request = one.request
        row = (request.mous_uid, request.project_code, request.user_name, request.user_email, request.ticket)
        table.add_row(*row, f"{one.since:%Y-%m-%d}")
    return table
