"""The command ``alma-restore``."""

from importlib.metadata import version as version_of
from pathlib import Path
from threading import Event as Flag
from typing import Annotated

import typer
from rich.console import Console

from alma_restore.archive_command import register as register_archive
from alma_restore.dead_letters_command import register as register_dead_letters
from alma_restore.desk_commands import register as register_desk
from alma_restore.doctor_command import register as register_doctor
from alma_restore.expire_command import register as register_expire
from alma_restore.fetch_command import register as register_fetch
from alma_restore.ledger_command import register as register_ledger
from alma_restore.ppr_cli import ppr_app
from alma_restore.registry import BUILDERS, builder
from alma_restore.stagecalms_command import register as register_stagecalms
from alma_restore.submit_command import register as register_submit
from alma_restore.surroundings import clear_errors, deployment_bus
from alma_restore.topology_command import register as register_topology
from alma_restore.trigger_command import register as register_trigger
from alma_restore.view import event_line
from contracts.envelope import Event
from shared.runtime import run_service

app = typer.Typer(
    name="alma-restore",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Calibrated ALMA data on request. `demo` shows it all on this machine; `run` starts one service; "
    "`submit`, `watch`, `status`, `cancel`, `renew` and `download` talk to a request desk (set ALMA_RESTORE_DESK_URL); "
    "`submit`, `watch` and `events` to a deployment over RabbitMQ without one "
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
register_doctor(app)
register_submit(app)
register_desk(app)
register_expire(app)
register_ledger(app)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"alma-restore {version_of('alma-restore')}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which version this is, and end")
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    directory: Annotated[Path, typer.Option(help="Where deliveries and mails are put; made anew at each run")] = Path(
        "demo-out"
    ),
    cache: Annotated[Path, typer.Option(help="Where synthetic execution blocks are kept between runs")] = Path(
        ".cache/observatory"
    ),
    runners: Annotated[int, typer.Option(min=1, help="How many CASA processes run side by side")] = 2,
    desk: Annotated[
        int | None,
        typer.Option(min=1, max=65535, metavar="PORT", help="Run the request desk, too, and stay until Ctrl-C"),
    ] = None,
) -> None:
    """Run the whole way of a request in this process, on a miniature ALMA made with real CASA.

    Ends with a table of what was asked and what came out, and with exit code 1
    if anything came out otherwise than expected.
    """
    from alma_restore.demo.run import run_demo

    with clear_errors():
        as_expected = run_demo(
            console=console, directory=directory.resolve(), cache=cache.resolve(), runners=runners, desk_port=desk
        )
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
