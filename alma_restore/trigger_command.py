"""The command ``trigger``, also under its old name: request data by mail and by trigger file."""

from typing import Annotated

import typer

from alma_restore.surroundings import clear_errors


def register(app: typer.Typer) -> None:
    """Add the command under both names."""
    app.command("trigger")(trigger)
    app.command("triggerCalMSCreation", hidden=True)(trigger)


def trigger(
    project: Annotated[str, typer.Argument(metavar="CODE", help="Project code, e.g. 2017.1.00727.S")],
    user: Annotated[str, typer.Argument(help="Official user name from the helpdesk profile")],
    email: Annotated[str, typer.Argument(metavar="MAIL", help="Official e-mail address from the helpdesk profile")],
    ticket: Annotated[str, typer.Argument(help="Helpdesk ticket number")],
    mous_and_fields: Annotated[
        list[str],
        typer.Argument(metavar='MOUS... ["FIELDS"]', help="Up to 10 MOUS UIDs, and calibrators separated by commas"),
    ],
    contact: Annotated[str | None, typer.Option(help="The ARC person; else ALMA_RESTORE_TRIGGER_CONTACT")] = None,
    force: Annotated[bool, typer.Option(help="Ask for it although a request for the same MOUS is active")] = False,
) -> None:
    """Ask operations for calibrated data: sends the request mail and places a trigger file for each MOUS.

    Nothing is sent if a MOUS has no QA0_PASS data. Warns if a trigger or a request for the same MOUS is active.
    """
    with clear_errors():
        from alma_restore.triggering import run_trigger

        run_trigger(
            project=project,
            user=user,
            email=email,
            ticket=ticket,
            mous_and_fields=mous_and_fields,
            contact=contact,
            force=force,
        )
