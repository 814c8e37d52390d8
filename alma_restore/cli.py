"""The command ``alma-restore``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Flag
from typing import Annotated
from uuid import UUID, uuid4

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.live import Live

from alma_restore.progress import RequestProgress, RequestState
from alma_restore.registry import BUILDERS, builder
from alma_restore.view import event_line, requests_table
from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import RequestSubmitted
from contracts.messages.parts import RestoreRequest
from shared.bus import Bus
from shared.bus.rabbitmq import RabbitBus
from shared.errors import RestoreError
from shared.runtime import run_service
from shared.service import source_of
from shared.settings import BusAccess, explain

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
    with _clear_errors():
        run_service(builder(service))


@app.command()
def submit(
    project: Annotated[str, typer.Argument(help="Project code, e.g. 2017.1.00886.L")],
    mous: Annotated[str, typer.Argument(help="MOUS UID, e.g. uid://A001/X1284/X265f")],
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
    """Ask for the calibrated data of a MOUS; prints the request's id."""
    with _clear_errors(), _bus() as bus:
        request = RestoreRequest.model_validate(
            {
                "request_id": uuid4(),
                "project_code": project,
                "mous_uid": mous,
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
        event = Event.first(RequestSubmitted(request=request), source=source_of("command-line"))
        if not follow:
            bus.publish([event])
            console.print(str(request.request_id))
            return
        _follow(bus, request.request_id, first=event)


@app.command()
def watch(request_id: Annotated[UUID, typer.Argument(help="The id that `submit` printed")]) -> None:
    """Follow one request live, from now until its end."""
    with _clear_errors(), _bus() as bus:
        _follow(bus, request_id)


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

    with _clear_errors(), _bus() as bus:
        stop = bus.listen(show)
        try:
            Flag().wait()
        except KeyboardInterrupt:
            stop()


def _follow(bus: Bus, request_id: UUID, *, first: Event | None = None) -> None:
    """Show a request until its end; exit code 1 unless it was delivered."""
    progress, changed = RequestProgress(), Flag()

    def take(event: Event) -> None:
        progress.apply(event)
        changed.set()

    stop = bus.listen(take, request_id=request_id)
    if first is not None:
        bus.publish([first])
    with Live(console=console, refresh_per_second=8) as live:
        while not progress.state.is_end:
            changed.wait(1.0)
            changed.clear()
            live.update(requests_table([(str(request_id), progress)]))
    stop()
    if progress.delivery is not None:
        console.print(progress.delivery.address)
    raise typer.Exit(0 if progress.state is RequestState.DELIVERED else 1)


@contextmanager
def _bus() -> Iterator[Bus]:
    bus = RabbitBus(settings=BusAccess().bus)
    try:
        bus.declare(QUEUES)
        yield bus
    finally:
        bus.close()


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Show an error of ours, or of the input, as one sentence instead of a traceback."""
    try:
        yield
    except RestoreError as error:
        typer.echo(f"alma-restore: {error}", err=True)
        raise typer.Exit(2) from error
    except ValidationError as error:
        typer.echo(f"alma-restore: {explain(error)}", err=True)
        raise typer.Exit(2) from error
