"""What ``alma-restore ppr`` does: makes, compares and checks processing requests."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import typer
from rich.filesize import decimal

from alma_restore.ppr_archive import FoundMous, find_mous
from alma_restore.ppr_check import find_folder, problems
from alma_restore.ppr_diff import differences
from alma_restore.ppr_make import Tree, Wish, make_tree, wanted_blocks, write_request
from alma_restore.ppr_text import foresight_lines, request_lines
from alma_restore.surroundings import BadArgumentsError
from contracts.envelope import Event
from contracts.identifiers import EntityUid, ExecBlockUid, InvalidIdentifierError, MousUid
from contracts.messages import ArtefactsStaged, RestoreProgressed
from services.metadata_resolver.settings import MetadataResolverSettings
from shared.logs import configure_logs
from shared.pipeline_files import read_manifest
from shared.pipeline_files.ppr import Kind, PprError, check_release, find_recipe, read_ppr
from shared.pipeline_files.ppr.foresight import Foresight, foresee
from shared.pipeline_files.ppr.reading import Ending
from shared.pipeline_files.ppr.recipes import all_recipes
from shared.pipeline_files.ppr.rules import cast
from shared.pipeline_files.ppr.tasks import casa_numbers

STORE = ".alma-restore"
# What the casa-runner does; a block that people calibrated is imported by its script.
_RUN_HERE = (Kind.RESTORE, Kind.SD_RESTORE, Kind.IMPORT)
Uid = TypeVar("Uid", bound=EntityUid)


def make_request(
    mous: str,
    *,
    out: Path,
    kind: str,
    blocks: Sequence[str],
    casa: str | None,
    old_layout: bool,
    options: Mapping[str, str | None],
    download: bool,
    run: bool,
) -> None:
    """Make a request with its tree, fill it and restore it as far as that is wanted.

    Raises
    ------
    RestoreError
        If the arguments, the archive or CASA do not allow it; the text says what and why.
    """
    configure_logs(form="text", level="WARNING")
    wish = _wish(kind, blocks, old_layout, options)
    if run and wish.kind not in _RUN_HERE:
        raise BadArgumentsError(f"--run restores and no more; a request of kind {kind} needs the pipeline's own hands")
    if casa is not None:
        casa_numbers(casa)
    found = find_mous(_uid(MousUid, mous), wish.kind, MetadataResolverSettings())
    chosen = wanted_blocks(found, wish)
    created = datetime.now(UTC)
    _procedure(wish, casa or _expected_casa(found, wish))
    tree = make_tree(out, found, created)
    with ExitStack() as closing:
        staged = _download(tree, found, chosen, wish, closing) if download else []
        version = casa or _manifests_casa(tree, wish) or _expected_casa(found, wish)
        path, request = write_request(tree, found, wish, chosen, casa_version=version, created=created)
        root = tree.relative_path.partition("/")[0]
        _say(f"Project root directory is {root}", *request_lines(request, version, path))
        if run:
            _run(tree, staged, closing)


def show_differences(left: Path, right: Path) -> bool:
    """Show what differs between two requests, and return whether the pipeline does the same with both."""
    found = differences(_foresee(left), _foresee(right))
    for each in found:
        remark = "" if each.has_effect else "  (without effect)"
        _say(f"{each.what}{remark}", f"  < {each.left!r}", f"  > {each.right!r}")
    same = not any(each.has_effect for each in found)
    if same:
        _say("The pipeline does the same with both.")
    return same


def show_check(file: Path, *, tree: Path | None, casa: str | None) -> bool:
    """Show what the pipeline does with a request, and return whether it is what the request says."""
    foresight = _foresee(file)
    _say(*foresight_lines(foresight))
    faults = [*foresight.notes, *_refusals(file, casa)]
    if tree is not None:
        faults += problems(foresight, find_folder(tree, foresight))
    _say(*(f"! {fault}" for fault in faults))
    sound = not faults and foresight.ending is Ending.RUNS
    if sound:
        _say("Nothing is lost, dropped or misread.")
    return sound


def _wish(kind: str, blocks: Sequence[str], old_layout: bool, options: Mapping[str, str | None]) -> Wish:
    if kind not in list(Kind):
        raise BadArgumentsError(f"{kind!r} is no kind of processing: take one of {', '.join(Kind)}")
    return Wish(
        kind=Kind(kind),
        blocks=tuple(_uid(ExecBlockUid, text) for text in blocks),
        copytoraw=old_layout,
        chosen={name: cast(text) for name, text in options.items() if text is not None},
    )


def _procedure(wish: Wish, casa_version: str) -> None:
    """Refuse what no recipe can say, before any folder is made."""
    recipe = find_recipe(wish.kind, casa_version)
    check_release(recipe.procedure(copytoraw=wish.copytoraw, chosen=wish.chosen), casa_version)


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
    from alma_restore.ppr_run import download, ensure_manifest, fill
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
    if wish.kind.needs_calibration and (built := ensure_manifest(tree, found, old_layout=wish.copytoraw)):
        _say(f"the package has no pipeline manifest; one was built from its names and restore script: {built}")
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
        written = "" if event.data.bytes_written is None else f", {decimal(event.data.bytes_written)} written"
        typer.echo(f"{event.data.eb_uid}: {event.data.step} {event.data.percent:.0f} %{written}", err=True)


def _manifests_casa(tree: Tree, wish: Wish) -> str | None:
    folder = tree.products if wish.copytoraw else tree.rawdata
    found = sorted(folder.glob("*pipeline_manifest.xml"))
    return read_manifest(found[0].read_bytes()).casa_version if found else None


def _expected_casa(found: FoundMous, wish: Wish) -> str:
    """Return the CASA that was in operation, or the newest that there is a recipe for where it does not matter."""
    if found.structure.casa is not None and wish.kind.needs_calibration:
        return found.structure.casa.version
    return all_recipes()[wish.kind][-1].casa


def _say(*lines: str) -> None:
    for line in lines:
        typer.echo(line)
