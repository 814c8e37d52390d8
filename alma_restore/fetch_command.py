"""The command ``alma-restore fetch``: its options and exit codes."""

from pathlib import Path
from typing import Annotated

import typer

EXIT_CODES = {
    0: "all files are there, verified",
    2: "an option, UID or setting is missing or wrong",
    3: "the location is not known: the report is missing or cannot be used",
    4: "a file is not in the archive",
    5: "a file's size or checksum is not the recorded one, on every replica",
    6: "an NGAS server, the database or the export command is away or too slow; try again later",
    7: "an NGAS server refuses: credentials, or a redirect to a host that is not allowed",
    8: "a file exists already and is not what the archive has (see --force)",
    9: "the output directory cannot be written",
    10: "the ASDM is not whole, or its package cannot be unpacked",
    130: "interrupted, by Ctrl-C or SIGTERM",
}
"""Exit codes of ``alma-restore fetch``, and what each says."""

_HELP = "\n\n".join(
    (
        "Fetch execution blocks from NGAS into a directory, verified; no service needs to run.",
        "A UID becomes a directory such as uid___A002_X1_X2. With --location-file and no UID all files of the report "
        "are put under the paths that it gives. What is there already and is right is not fetched again.",
        "Exit codes: " + "; ".join(f"{code} {text}" for code, text in EXIT_CODES.items()) + ".",
    )
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("fetch", help=_HELP)(fetch)


def fetch(
    uids: Annotated[
        list[str] | None, typer.Argument(metavar="[UID]...", help="Execution blocks, in either form")
    ] = None,
    location_file: Annotated[Path | None, typer.Option(help="Location report in NRAO's format")] = None,
    output_dir: Annotated[Path, typer.Option(help="Where the files go")] = Path(),
    sdm_only: Annotated[bool, typer.Option("--sdm-only", help="Leave the binary data out")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be fetched")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there and differ")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Say what happens on the way, on stderr")] = False,
) -> None:
    """Fetch execution blocks and files into a directory."""
    # Only here, since an image that holds another service lacks what a fetch needs.
    from alma_restore.fetching import run_fetch

    run_fetch(
        uids or [],
        location_file=location_file,
        output_dir=output_dir,
        sdm_only=sdm_only,
        dry_run=dry_run,
        force=force,
        verbose=verbose,
    )
