"""The command ``alma-restore``."""

from collections.abc import Sequence
from pathlib import Path
from threading import Event as Flag
from typing import Annotated
from uuid import UUID, uuid4

import typer
from rich.console import Console
from rich.live import Live

from alma_restore.archive_command import register as register_archive
from alma_restore.dead_letters_command import register as register_dead_letters
from alma_restore.expire_command import register as register_expire
from alma_restore.fetch_command import register as register_fetch
from alma_restore.ledger_command import register as register_ledger
from alma_restore.ppr_cli import ppr_app
from alma_restore.progress import RequestProgress, RequestState
from alma_restore.registry import BUILDERS, builder
from alma_restore.stagecalms_command import register as register_stagecalms
from alma_restore.surroundings import clear_errors, deployment_bus
from alma_restore.topology_command import register as register_topology
from alma_restore.trigger_command import register as register_trigger
from alma_restore.view import event_line, requests_table
from contracts.envelope import Event
from contracts.messages import RequestSubmitted
from contracts.messages.parts import RestoreTicket
from shared.bus import Bus
from shared.runtime import run_service
from shared.service import source_of
from shared.tickets import requests_of

app = typer.Typer(
    name="alma-restore",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Calibrated ALMA data on request. `demo` shows it all on this machine; `run` starts one service; "
    "`submit`, `watch` and `events` talk to a deployment over RabbitMQ "
    "(set ALMA_RESTORE_BUS__URL, e.g. amqp://user:password@host:5672/%2F).",
)
console = Console()
register_archive(app)
app.add_typer(ppr_app, name="ppr")
register_fetch(app)
register_trigger(app)
register_stagecalms(app)
register_topology(app)
register_dead_letters(app)
register_ledger(app)
register_expire(app)


@app.command()
def demo(
    directory: Annotated[Path, typer.Option(help="Where deliveries and mails are put; made anew at each run")] = Path(
        "demo-out"
    ),
    cache: Annotated[Path, typer.Option(help="Where synthetic execution blocks are kept between runs")] = Path(
        ".cache/observatory"
    ),
    runners: Annotated[int, typer.Option(min=1, help="How many CASA processes run side by side")] = 2,
) -> None:
    """Run the whole way of a request in this process, on a miniature ALMA made with real CASA.

    Ends with a table of what was asked and what came out, and with exit code 1
    if anything came out otherwise than expected.
    """
    from alma_restore.demo.run import run_demo

    as_expected = run_demo(console=console, directory=directory.resolve(), cache=cache.resolve(), runners=runners)
    raise typer.Exit(0 if as_expected else 1)


@app.command()
def run(service: Annotated[str, typer.Argument(help=f"One of: {', '.join(BUILDERS)}")]) -> None:
    """Run one service until SIGTERM: it finishes what it has in hand, then ends.

    Settings come from the environment, ALMA_RESTORE_… for bus and store,
    ALMA_RESTORE_<SERVICE>_… for the service's own.
    """
    with clear_errors():
        run_service(builder(service))


@app.command()
def submit(
    project: Annotated[str, typer.Argument(help="Project code, e.g. 2017.1.00886.L")],
    mous: Annotated[list[str], typer.Argument(help="Up to 10 MOUS UIDs, e.g. uid://A001/X1284/X265f")],
    ticket: Annotated[str, typer.Argument(help="Helpdesk ticket number")],
    user_name: Annotated[str, typer.Option("--user", help="The user's official name")],
    user_email: Annotated[str, typer.Option("--email", help="The user's official e-mail address")],
    account: Annotated[str | None, typer.Option(help="The user's ALMA account")] = None,
    fields: Annotated[str, typer.Option(help="Only these calibrators, e.g. J0510+1800,J0321+1234")] = "",
    contact: Annotated[str | None, typer.Option(help="E-mail address of the ARC contact")] = None,
    cc: Annotated[list[str] | None, typer.Option(help="Further address for copies; may be repeated")] = None,
    force: Annotated[bool, typer.Option(help="Start although the same MOUS is being restored already")] = False,
    follow: Annotated[bool, typer.Option("--watch", help="Stay and watch the request")] = False,
) -> None:
    """Ask for the calibrated data of one or several MOUSs; prints the id of each one's request."""
    with clear_errors():
        ticket_of_all = RestoreTicket.model_validate(
            {
                "request_id": uuid4(),
                "project_code": project,
                "mous_uids": mous,
                "ticket": ticket,
                "user_name": user_name,
                "user_email": user_email,
                "user_account": account,
                "selection": {"calibrator_fields": [name for name in fields.split(",") if name]},
                "contact_email": contact,
                "cc": cc or [],
                "force": force,
            }
        )
        asked = [
            Event.first(RequestSubmitted(request=request), source=source_of("command-line"))
            for request in requests_of(ticket_of_all)
        ]
        with deployment_bus() as bus:
            if follow:
                _follow(bus, [event.correlationid for event in asked], first=asked)
            bus.publish(asked)
        for event in asked:
            console.print(str(event.correlationid))


@app.command()
def watch(request_id: Annotated[UUID, typer.Argument(help="The id that `submit` printed")]) -> None:
    """Follow one request live, from now until its end."""
    with clear_errors(), deployment_bus() as bus:
        _follow(bus, [request_id])


@app.command()
def events(
    as_json: Annotated[bool, typer.Option("--json", help="One CloudEvent a line, for programs")] = False,
) -> None:
    """Show all events as they are said, until interrupted."""

    def show(event: Event) -> None:
        if as_json:
            print(event.encode().decode(), flush=True)
        else:
            console.print(event_line(event), soft_wrap=True)

    with clear_errors(), deployment_bus() as bus:
        stop = bus.listen(show)
        try:
            Flag().wait()
        except KeyboardInterrupt:
            stop()


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
    with Live(console=console, refresh_per_second=8) as live:
        while not all(progress.state.is_end for progress in shown.values()):
            changed.wait(1.0)
            changed.clear()
            live.update(requests_table([(str(request_id), progress) for request_id, progress in shown.items()]))
    stop()
    for progress in shown.values():
        if progress.delivery is not None:
            console.print(progress.delivery.address)
    raise typer.Exit(0 if all(one.state is RequestState.DELIVERED for one in shown.values()) else 1)
