"""What commands share: the bus of a deployment, and errors as one sentence."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from contracts.flow import QUEUES
from shared.bus import Bus
from shared.bus.rabbitmq import RabbitBus
from shared.errors import RestoreError
from shared.logs import configure_logs
from shared.settings import BusAccess, explain
from shared.trace_export import exported


class BadArgumentsError(RestoreError):
    """The arguments of a command do not say what is wanted."""

    code = "bad_arguments"


@contextmanager
def deployment_bus() -> Iterator[Bus]:
    """Open the bus that the environment names, with its topology declared; logs do not mix with the answers."""
    with undeclared_bus() as bus:
        bus.declare(QUEUES)
        yield bus


@contextmanager
def undeclared_bus() -> Iterator[RabbitBus]:
    """Open the bus that the environment names, as it is found."""
    configure_logs(form="text", level="WARNING", stream=sys.stderr)
    access = BusAccess()
    bus = RabbitBus(settings=access.bus, retry=access.retry_policy())
    try:
        with exported("command-line"):
            yield bus
    finally:
        bus.close()


@contextmanager
def clear_errors() -> Iterator[None]:
    """Show an error of ours, or of the input, as one sentence instead of a traceback."""
    try:
        yield
    except RestoreError as error:
        typer.echo(f"alma-restore: {error}", err=True)
        raise typer.Exit(2) from error
    except (ValidationError, SettingsError) as error:
        typer.echo(f"alma-restore: {explain(error)}", err=True)
        raise typer.Exit(2) from error
