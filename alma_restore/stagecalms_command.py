"""The command ``stagecalms``: ask for the data of a MOUS and watch it being staged, as it used to be typed."""

from queue import SimpleQueue
from typing import Annotated
from uuid import uuid4

import typer

from alma_restore.progress import RequestProgress, RequestState
from alma_restore.stagecalms_output import StepPrinter, opening
from alma_restore.surroundings import BadArgumentsError, clear_errors, deployment_bus
from alma_restore.trigger_settings import StagecalmsSettings
from contracts.envelope import Event
from contracts.messages import RequestSubmitted
from contracts.messages.parts import RestoreRequest
from shared.bus import Bus
from shared.service import source_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("stagecalms")(stagecalms)


def stagecalms(
    project: Annotated[str, typer.Argument(metavar="CODE", help="Project code, e.g. 2019.1.00337.S")],
    mous: Annotated[str, typer.Argument(help="MOUS UID, e.g. uid://A001/X14d7/X160")],
    ticket: Annotated[str, typer.Argument(help="Helpdesk ticket number")],
    x_and_fields: Annotated[
        list[str] | None, typer.Argument(metavar='[X "FIELDS"]', help="X and the calibrators, separated by commas")
    ] = None,
    user: Annotated[str | None, typer.Option(help="For whom; else ALMA_RESTORE_STAGECALMS_USER_NAME")] = None,
    email: Annotated[str | None, typer.Option(help="His address; else ALMA_RESTORE_STAGECALMS_USER_EMAIL")] = None,
    force: Annotated[bool, typer.Option(help="Start although the same MOUS is being restored already")] = False,
) -> None:
    """Stage the calibrated data of a MOUS; shows each step and ends with the address and the deletion date."""
    with clear_errors():
        settings = StagecalmsSettings()
        request = RestoreRequest.model_validate(
            {
                "request_id": uuid4(),
                "project_code": project,
                "mous_uid": mous,
                "ticket": ticket,
                "selection": {"calibrator_fields": fields_of(x_and_fields or [])},
                "user_name": user or settings.user_name or _unsaid("--user", "USER_NAME"),
                "user_email": email or settings.user_email or _unsaid("--email", "USER_EMAIL"),
                "contact_email": settings.contact,
                "force": force,
            }
        )
        with deployment_bus() as bus:
            raise typer.Exit(0 if stage(bus, request) is RequestState.DELIVERED else 1)


def fields_of(x_and_fields: list[str]) -> list[str]:
    """Read what may follow the ticket number: nothing, or ``X`` and field names.

    Raises
    ------
    BadArgumentsError
        If it is anything else.
    """
    match x_and_fields:
        case []:
            return []
        case ["X", fields] if " " not in fields and all(fields.split(",")):
            return fields.split(",")
        case _:
            raise BadArgumentsError(
                'after the ticket number only X and field names may follow, e.g. X "J0217-0820,J0238+1636" (no spaces)'
            )


def stage(bus: Bus, request: RestoreRequest) -> RequestState:
    """Submit a request and print its steps until it has ended."""
    heard: SimpleQueue[Event] = SimpleQueue()
    progress = RequestProgress()
    stop = bus.listen(heard.put, request_id=request.request_id)
    for line in opening(request):
        typer.echo(line)
    printer = StepPrinter(typer.echo)
    try:
        bus.publish([Event.first(RequestSubmitted(request=request), source=source_of("stagecalms"))])
        while not progress.state.is_end:
            event = heard.get()
            printer.show(event)
            progress.apply(event)
    finally:
        stop()
    return progress.state


def _unsaid(option: str, variable: str) -> str:
    raise BadArgumentsError(f"say for whom: {option}, or set ALMA_RESTORE_STAGECALMS_{variable}")
