"""What ``alma-restore fetch`` does: execution blocks and files from NGAS into a directory, without any service."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog
import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as ProgressView
from rich.table import Table

from contracts.identifiers import ExecBlockUid
from contracts.reasons import ReasonCode
from services.ngas_fetcher.errors import FileExistsAlreadyError, FolderError, LocationUnusableError, NgasRefusedError
from services.ngas_fetcher.local import LocalFetch, Wanted, files_as_they_are, read_location_file
from services.ngas_fetcher.location import ArchiveFile
from services.ngas_fetcher.progress import Progress
from services.ngas_fetcher.settings import LocalFetchSettings
from shared.errors import BlockFailedError, DependencyAwayError, MisconfiguredError, RestoreError
from shared.settings import explain

_BY_REASON = {
    ReasonCode.FILE_NOT_IN_ARCHIVE: 4,
    ReasonCode.CHECKSUM_MISMATCH: 5,
    ReasonCode.SIZE_MISMATCH: 5,
    ReasonCode.ASDM_INCOMPLETE: 10,
}


def exit_code(error: RestoreError) -> int:
    """Tell the exit code of an error."""
    match error:
        case BlockFailedError(reason=reason):
            return _BY_REASON.get(reason, 10)
        case LocationUnusableError():
            return 3
        case NgasRefusedError():
            return 7
        case FileExistsAlreadyError():
            return 8
        case FolderError():
            return 9
        case DependencyAwayError():
            return 6
        case _:
            return 2


def run_fetch(
    uids: Sequence[str],
    *,
    location_file: Path | None,
    output_dir: Path,
    sdm_only: bool,
    dry_run: bool,
    force: bool,
    verbose: bool,
) -> None:
    """Do what the command line asks for.

    Raises
    ------
    typer.Exit
        With the code of what went wrong.
    """
    with _exit_codes(), _interrupted_by_sigterm():
        blocks = [ExecBlockUid(uid) for uid in uids]
        _check(blocks, location_file)
        _quieten(verbose)
        settings, files = _settings(location_file)
        with LocalFetch(settings=settings, output_dir=output_dir, force=force, sdm_only=sdm_only) as local:
            if blocks:
                wanted = [local.locate(block, files) for block in blocks]
            else:
                wanted = [files_as_they_are(str(location_file), files or (), sdm_only=sdm_only)]
            if dry_run:
                _wide_console().print(_listing(wanted))
            else:
                _fetch_all(local, wanted)


def _check(blocks: Sequence[ExecBlockUid], location_file: Path | None) -> None:
    if not blocks and location_file is None:
        raise MisconfiguredError("name the UIDs of execution blocks, or a --location-file")
    if len(blocks) > 1 and location_file is not None:
        raise MisconfiguredError("a --location-file tells where one execution block is: name one UID, or none")


def _settings(location_file: Path | None) -> tuple[LocalFetchSettings, tuple[ArchiveFile, ...] | None]:
    """Read the settings; the servers of a report are known hosts if the environment names none."""
    if location_file is None:
        settings = LocalFetchSettings()
        if not settings.hosts:
            raise MisconfiguredError("set ALMA_RESTORE_NGAS_FETCHER_HOSTS, or give a --location-file")
        return settings, None
    settings = LocalFetchSettings(location_directory=location_file.parent)
    files = read_location_file(location_file, settings)
    if settings.hosts:
        return settings, files
    servers = dict.fromkeys(server for file in files for server in file.servers)
    return LocalFetchSettings(location_directory=location_file.parent, hosts=tuple(servers)), files


def _listing(wanted: Sequence[Wanted]) -> Table:
    table = Table("file", "bytes", "version", "checksum", "servers", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for one in wanted:
        for file in one.files:
            path = f"{one.folder}/{file.path}" if one.folder else file.path
            table.add_row(path, str(file.size), str(file.version), str(file.checksum), " ".join(file.servers))
    table.add_row("total", str(sum(one.size for one in wanted)), style="bold")
    return table


def _wide_console() -> Console:
    """Make a console that cuts no path short when its output is read by a program."""
    console = Console()
    return console if console.is_terminal else Console(width=400)


def _fetch_all(local: LocalFetch, wanted: Sequence[Wanted]) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[files]}"),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with ProgressView(*columns, console=Console(stderr=True)) as view:
        for one in wanted:
            _fetch_one(local, one, view)


def _fetch_one(local: LocalFetch, wanted: Wanted, view: ProgressView) -> None:
    progress = Progress()
    task = view.add_task(wanted.title, total=wanted.size or None, files="")

    def tick() -> None:
        now = progress.snapshot()
        view.update(task, completed=now.bytes, files=f"{now.files}/{len(wanted.files) or '?'} files")

    local.fetch(wanted, progress=progress, tick=tick)
    tick()


def _quieten(verbose: bool) -> None:
    level = "info" if verbose else "error"
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end this as Ctrl-C does, with nothing partial left."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _exit_codes() -> Iterator[None]:
    """End with the code and sentence of what went wrong."""
    try:
        yield
    except RestoreError as error:
        typer.echo(f"alma-restore: {error}", err=True)
        raise typer.Exit(exit_code(error)) from error
    except (ValidationError, SettingsError) as error:
        typer.echo(f"alma-restore: {explain(error)}", err=True)
        raise typer.Exit(2) from error
    except ValueError as error:
        typer.echo(f"alma-restore: {error}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
