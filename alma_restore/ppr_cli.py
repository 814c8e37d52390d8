"""``alma-restore ppr``: makes, compares and checks processing requests, without any service running."""

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from alma_restore.surroundings import clear_errors

KINDS = ("restore", "deliver", "calimage", "cal", "image", "sd-restore", "sd-calimage", "import")


class _MakeByDefault(TyperGroup):
    """Takes ``ppr MOUS …`` for ``ppr make MOUS …``."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # typer's context, which the base class calls click's
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["make", *args]
        return super().parse_args(ctx, args)


ppr_app = typer.Typer(
    cls=_MakeByDefault,
    no_args_is_help=True,
    help="Processing requests for the ALMA pipeline. `ppr MOUS --out DIR` makes one with its whole tree of folders; "
    "`ppr diff` and `ppr check` say what the pipeline would do with any.",
)


@ppr_app.command()
def make(
    mous: Annotated[str, typer.Argument(help="MOUS UID, e.g. uid://A001/X1284/X265f")],
    out: Annotated[Path, typer.Option(help="Folder in which the tree is made")],
    kind: Annotated[str, typer.Option(help=f"What is to be done: {', '.join(KINDS)}")] = "restore",
    eb: Annotated[list[str] | None, typer.Option(help="Only this execution block; may be repeated")] = None,
    casa: Annotated[
        str | None, typer.Option(help="CASA version that will run it; that of the manifest or of the time by default")
    ] = None,
    old_layout: Annotated[bool, typer.Option(help="The calibration lies in products (copytoraw=True)")] = False,
    field: Annotated[str | None, typer.Option(help="deliver: fields to split")] = None,
    spw: Annotated[str | None, typer.Option(help="deliver: spectral windows to split, e.g. 17,19")] = None,
    intent: Annotated[str | None, typer.Option(help="deliver: intents to split, e.g. TARGET")] = None,
    chanbin: Annotated[str | None, typer.Option(help="deliver: channels to average")] = None,
    timebin: Annotated[str | None, typer.Option(help="deliver: time to average, e.g. 10s")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fill the tree from the archive")] = False,
    run: Annotated[bool, typer.Option("--run", help="Restore it with the CASA at hand (downloads, too)")] = False,
) -> None:
    """Make a request with its tree: rawdata, working, products, and the OUS status files of each level.

    Reads the archive's database (ALMA_RESTORE_ARCHIVE_DB_URL); --download asks
    NGAS (ALMA_RESTORE_NGAS_FETCHER_…), --run uses ALMA_RESTORE_CASA_RUNNER_….
    """
    # Imported here and below, since an image that holds one service lacks what these need.
    from alma_restore.ppr_commands import make_request

    with clear_errors():
        make_request(
            mous,
            out=out.absolute(),
            kind=kind,
            blocks=eb or [],
            casa=casa,
            old_layout=old_layout,
            options={"field": field, "spw": spw, "intent": intent, "chanbin": chanbin, "timebin": timebin},
            download=download or run,
            run=run,
        )


@ppr_app.command()
def diff(
    left: Annotated[Path, typer.Argument(help="A processing request, whoever wrote it")],
    right: Annotated[Path, typer.Argument(help="Another one")],
) -> None:
    """Compare two requests by what the pipeline does with them; exit code 1 if that differs."""
    from alma_restore.ppr_commands import show_differences

    with clear_errors():
        same = show_differences(left, right)
    raise typer.Exit(0 if same else 1)


@ppr_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A processing request, whoever wrote it")],
    tree: Annotated[
        Path | None, typer.Option(help="Folder of the MOUS, or the root above it: is all there, and does it fit?")
    ] = None,
    casa: Annotated[str | None, typer.Option(help="CASA that is to run it: does its pipeline know all of it?")] = None,
) -> None:
    """Tell what the pipeline does with a request; exit code 1 if anything goes otherwise than it says."""
    from alma_restore.ppr_commands import show_check

    with clear_errors():
        sound = show_check(file, tree=tree, casa=casa)
    raise typer.Exit(0 if sound else 1)
