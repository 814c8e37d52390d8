"""The commands ``submit`` and ``watch``: over a request desk if one is named, else over the bus itself.

The desk knows who asks, so that name and address need not be given. The bus needs no desk: with
it away, operators submit and watch as before.
"""

from collections.abc import Sequence
from threading import Event as Flag
from typing import Annotated, NoReturn
from uuid import UUID, uuid4

import typer
from rich.console import Console

from alma_restore.desk import Desk
from alma_restore.desk_commands import DeskOption, JsonOption, desk_at, follow, tell
from alma_restore.desk_models import Submitted
from alma_restore.desk_settings import DeskAccess
from alma_restore.progress import RequestProgress, RequestState
from alma_restore.surroundings import BadArgumentsError, clear_errors, deployment_bus
from alma_restore.view import drawn_live, requests_table
from contracts.envelope import Event
from contracts.messages import RequestSubmitted
from contracts.messages.parts import RestoreTicket
from shared.bus import Bus
from shared.service import source_of
from shared.tickets import requests_of

console = Console()


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(submit)
    app.command()(watch)


def submit(
    project: Annotated[str, typer.Argument(help="Project code, e.g. 2017.1.00886.L")],
    mous: Annotated[list[str], typer.Argument(help="Up to 10 MOUS UIDs, e.g. uid://A001/X1284/X265f")],
    ticket: Annotated[str, typer.Argument(help="Helpdesk ticket number")],
    user_name: Annotated[str | None, typer.Option("--user", help="The user's official name")] = None,
    user_email: Annotated[str | None, typer.Option("--email", help="The user's official e-mail address")] = None,
    account: Annotated[str | None, typer.Option(help="The user's ALMA account")] = None,
    fields: Annotated[str, typer.Option(help="Only these calibrators, e.g. J0510+1800,J0321+1234")] = "",
    contact: Annotated[str | None, typer.Option(help="E-mail address of the ARC contact")] = None,
    cc: Annotated[list[str] | None, typer.Option(help="Further address for copies; may be repeated")] = None,
    force: Annotated[bool, typer.Option(help="Start although the same MOUS is being restored already")] = False,
    watching: Annotated[bool, typer.Option("--watch", help="Stay and watch the requests")] = False,
    desk: DeskOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask for the calibrated data of one or several MOUSs; prints the id of each one's request.

    With a desk named (--desk, or ALMA_RESTORE_DESK_URL) it is asked there, in one's own name
    unless --user and --email give another; else over the bus, which needs both.
    """
    names = [name for name in fields.split(",") if name]
    with clear_errors():
        if is_over_desk(desk):
            user = _user(user_name, user_email, account)
            with desk_at(desk) as at:
                asked = at.submit(
                    project, mous, ticket=ticket, fields=names, contact=contact, cc=cc or (), force=force, user=user
                )
                _tell_submitted(at, asked, watching=watching, as_json=as_json)
            return
        if user_name is None or user_email is None:
            raise BadArgumentsError("give --user and --email, or name a desk that knows you: --desk https://…")
        ticket_of_all = RestoreTicket.model_validate(
            {
                "request_id": uuid4(),
                "project_code": project,
                "mous_uids": mous,
                "ticket": ticket,
                "user_name": user_name,
                "user_email": user_email,
                "user_account": account,
                "selection": {"calibrator_fields": names},
                "contact_email": contact,
                "cc": cc or [],
                "force": force,
            }
        )
        _submit_over_bus(ticket_of_all, watching=watching, as_json=as_json)


def watch(
    request_id: Annotated[UUID, typer.Argument(help="The id that `submit` printed")],
    desk: DeskOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow one request live, until its end: at the desk if one is named, else what is said on the bus from now on.

    Exit code 1 unless it was delivered.
    """
    with clear_errors():
        if is_over_desk(desk):
            with desk_at(desk) as at:
                delivered = follow(at, [request_id], as_json=as_json)
                _end(at, [request_id], delivered, as_json=as_json)
        _need_desk(as_json)
        with deployment_bus() as bus:
            _follow(bus, [request_id])


def is_over_desk(option: str | None) -> bool:
    """Whether a desk is named, by the option or the environment."""
    return (option or DeskAccess().url) is not None


def _tell_submitted(at: Desk, found: Sequence[Submitted], *, watching: bool, as_json: bool) -> None:
    if as_json:
        tell(*found)
    else:
        for each in found:
            console.print(str(each.request_id) if each.request_id else f"{each.mous}: {each.text}", soft_wrap=True)
    submitted = [each.request_id for each in found if each.request_id]
    if watching:
        _end(at, submitted, follow(at, submitted, as_json=as_json), as_json=as_json)
    if len(submitted) < len(found):
        raise typer.Exit(1)


def _end(at: Desk, request_ids: Sequence[UUID], delivered: bool, *, as_json: bool) -> NoReturn:
    """Tell the addresses of what was delivered, and end."""
    for request_id in () if as_json else request_ids:
        delivery = at.request(request_id).delivery
        if delivery is not None:
            console.print(delivery.address, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if delivered else 1)


def _user(name: str | None, email: str | None, account: str | None) -> dict[str, str] | None:
    if name is None and email is None and account is None:
        return None
    if name is None or email is None:
        raise BadArgumentsError("whoever asks in another one's name gives --user and --email")
    return {"name": name, "email": email, **({"account": account} if account else {})}


def _need_desk(as_json: bool) -> None:
    if as_json:
        raise BadArgumentsError("--json needs a desk (--desk); `alma-restore events --json` shows what the bus carries")


def _submit_over_bus(ticket: RestoreTicket, *, watching: bool, as_json: bool) -> None:
    _need_desk(as_json)
    asked = [
        Event.first(RequestSubmitted(request=request), source=source_of("command-line"))
        for request in requests_of(ticket)
    ]
    with deployment_bus() as bus:
        if watching:
            _follow(bus, [event.correlationid for event in asked], first=asked)
        bus.publish(asked)
    for event in asked:
        console.print(str(event.correlationid))


def _follow(bus: Bus, request_ids: Sequence[UUID], *, first: Sequence[Event] = ()) -> None:
    """Show requests until their ends; exit code 1 unless all were delivered."""
    shown = {request_id: RequestProgress() for request_id in request_ids}
    changed = Flag()

    def take(event: Event) -> None:
        if (progress := shown.get(event.correlationid)) is not None:
            progress.apply(event)
            changed.set()

    stop = bus.listen(take, request_id=request_ids[0] if len(request_ids) == 1 else None)
    bus.publish(first)
    with drawn_live(console) as live:
        while not all(progress.state.is_end for progress in shown.values()):
            changed.wait(1.0)
            changed.clear()
            live.update(requests_table([(str(request_id), progress) for request_id, progress in shown.items()]))
    stop()
    for progress in shown.values():
        if progress.delivery is not None:
            console.print(progress.delivery.address, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if all(one.state is RequestState.DELIVERED for one in shown.values()) else 1)
