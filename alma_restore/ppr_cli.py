"""``alma-restore ppr``: makes, compares and checks processing requests, without any service running."""

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from typer.core import TyperGroup

from alma_restore.ppr_archive import FoundMous, find_mous
from alma_restore.ppr_check import find_folder, problems
from alma_restore.ppr_diff import differences
from alma_restore.ppr_make import Tree, Wish, make_tree, wanted_blocks, write_request
from alma_restore.ppr_text import foresight_lines, request_lines
from alma_restore.surroundings import BadArgumentsError, clear_errors
from contracts.envelope import Event
from contracts.identifiers import EntityUid, ExecBlockUid, InvalidIdentifierError, MousUid
from contracts.messages import ArtefactsStaged, RestoreProgressed
from services.metadata_resolver.settings import MetadataResolverSettings
from shared.pipeline_files import read_manifest
from shared.pipeline_files.ppr import Kind, PprError, check_release, read_ppr
from shared.pipeline_files.ppr.foresight import Foresight, foresee
from shared.pipeline_files.ppr.reading import Ending
from shared.pipeline_files.ppr.recipes import all_recipes
from shared.pipeline_files.ppr.rules import cast

STORE = ".alma-restore"
Uid = TypeVar("Uid", bound=EntityUid)


class _MakeByDefault(TyperGroup):
    """Takes ``ppr MOUS …`` for ``ppr make MOUS …``."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # typer's context
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
    kind: Annotated[Kind, typer.Option(help="What is to be done")] = Kind.RESTORE,
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
    with clear_errors(), ExitStack() as closing:
        if run and kind is not Kind.RESTORE:
            raise BadArgumentsError(f"--run restores by CASA tasks alone; a request of kind {kind} needs the pipeline")
        options = {"field": field, "spw": spw, "intent": intent, "chanbin": chanbin, "timebin": timebin}
        wish = Wish(
            kind=kind,
            blocks=tuple(_uid(ExecBlockUid, text) for text in eb or []),
            copytoraw=old_layout,
            chosen={name: cast(text) for name, text in options.items() if text is not None},
        )
        found = find_mous(_uid(MousUid, mous), kind, MetadataResolverSettings())
        blocks = wanted_blocks(found, wish)
        created = datetime.now(UTC)
        tree = make_tree(out.absolute(), found, created)
        staged = _download(tree, found, blocks, wish, closing) if download or run else []
        version = casa or _casa_version(tree, found, wish)
        path, request = write_request(tree, found, wish, blocks, casa_version=version, created=created)
        _say(
            f"Project root directory is {tree.relative_path.partition('/')[0]}", *request_lines(request, version, path)
        )
        if run:
            _run(tree, staged, closing)


@ppr_app.command()
def diff(
    left: Annotated[Path, typer.Argument(help="A processing request, whoever wrote it")],
    right: Annotated[Path, typer.Argument(help="Another one")],
) -> None:
    """Compare two requests by what the pipeline does with them; exit code 1 if that differs."""
    with clear_errors():
        found = differences(_foresee(left), _foresee(right))
        for each in found:
            remark = "" if each.has_effect else "  (without effect)"
            _say(f"{each.what}{remark}", f"  < {each.left!r}", f"  > {each.right!r}")
        if any(each.has_effect for each in found):
            raise typer.Exit(1)
        _say("The pipeline does the same with both.")


@ppr_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A processing request, whoever wrote it")],
    tree: Annotated[
        Path | None, typer.Option(help="Folder of the MOUS, or the root above it: is all there, and does it fit?")
    ] = None,
    casa: Annotated[str | None, typer.Option(help="CASA that is to run it: does its pipeline know all of it?")] = None,
) -> None:
    """Tell what the pipeline does with a request; exit code 1 if anything goes otherwise than it says."""
    with clear_errors():
        foresight = _foresee(file)
        _say(*foresight_lines(foresight))
        faults = [*foresight.notes, *_refusals(file, casa)]
        if tree is not None:
            faults += problems(foresight, find_folder(tree, foresight))
        _say(*(f"! {fault}" for fault in faults))
        if faults or foresight.ending is not Ending.RUNS:
            raise typer.Exit(1)
        _say("Nothing is lost, dropped or misread.")


def _refusals(file: Path, casa: str | None) -> list[str]:
    """Return why no request of ours would look like this, and what a release of the pipeline does not know."""
    try:
        request = read_ppr(file.read_bytes())
        if casa is not None:
            check_release(request.procedure, casa)
    except PprError as error:
        return [error.detail]
    return []


def _foresee(file: Path) -> Foresight:
    try:
        return foresee(file.read_bytes())
    except OSError as error:
        raise BadArgumentsError(f"{file} cannot be read: {error}") from error


def _uid(kind: type[Uid], text: str) -> Uid:
    try:
        return kind(text)
    except InvalidIdentifierError as error:
        raise BadArgumentsError(str(error)) from error


def _download(
    tree: Tree, found: FoundMous, blocks: tuple[ExecBlockUid, ...], wish: Wish, closing: ExitStack
) -> list[ArtefactsStaged]:
    from alma_restore.ppr_run import download, fill
    from services.ngas_fetcher.service import build
    from shared.objects.directory import DirectoryStore

    objects = DirectoryStore(root=tree.mous / STORE)
    closing.callback(objects.close)
    fetcher = build(objects=objects)
    closing.callback(fetcher.close)
    staged = download(fetcher, found, blocks, lambda _: None)
    for each in staged:
        fill(tree, each, objects, old_layout=wish.copytoraw)
        _say(f"{each.eb_uid}: in {tree.rawdata / each.eb_uid.file_form}")
    return staged


def _run(tree: Tree, staged: list[ArtefactsStaged], closing: ExitStack) -> None:
    from alma_restore.ppr_run import restore
    from services.casa_runner.service import build as build_runner
    from services.ppr_builder.service import build as build_builder
    from shared.objects.directory import DirectoryStore

    objects = DirectoryStore(root=tree.mous / STORE)
    closing.callback(objects.close)
    builder, runner = build_builder(objects=objects), build_runner(objects=objects)
    closing.callback(runner.close)
    for each in staged:
        result = restore(builder, runner, each, objects, tree.working, _progress)
        _say(f"{each.eb_uid}: {result}")


def _progress(event: Event) -> None:
    if isinstance(event.data, RestoreProgressed):
        typer.echo(f"{event.data.eb_uid}: {event.data.step} {event.data.percent:.0f} %", err=True)


def _casa_version(tree: Tree, found: FoundMous, wish: Wish) -> str:
    """Return the manifest's CASA, else the one that was in operation, else the newest that there is a recipe for."""
    folder = tree.products if wish.copytoraw else tree.rawdata
    for path in sorted(folder.glob("*pipeline_manifest.xml")):
        return read_manifest(path.read_bytes()).casa_version
    if found.structure.casa is not None and wish.kind.needs_calibration:
        return found.structure.casa.version
    return all_recipes()[wish.kind][-1].casa


def _say(*lines: str) -> None:
    for line in lines:
        typer.echo(line)
