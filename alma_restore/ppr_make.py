"""Lays out the tree of a MOUS as pipelineMakeRequest does, with the processing request in it."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from alma_restore.ppr_archive import FoundMous
from alma_restore.surroundings import BadArgumentsError
from contracts.identifiers import ExecBlockUid
from services.ppr_builder.build import file_name, processing_request, relative_path
from shared.pipeline_files.ppr import (
    Kind,
    ProcessingRequest,
    ProjectSummary,
    Value,
    check_release,
    find_recipe,
    write_ppr,
)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a request is to say.

    Attributes
    ----------
    kind
        What is done.
    blocks
        Only these execution blocks; all if empty.
    copytoraw
        Whether the calibration lies in ``products`` (the old layout).
    chosen
        Parameters that the recipe leaves open.
    """

    kind: Kind = Kind.RESTORE
    blocks: tuple[ExecBlockUid, ...] = ()
    copytoraw: bool = False
    chosen: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Tree:
    """The folders of a MOUS."""

    root: Path
    relative_path: str

    @property
    def mous(self) -> Path:
        """Folder of the MOUS."""
        return self.root / self.relative_path

    @property
    def rawdata(self) -> Path:
        """Where ASDMs and, as a rule, the calibration lie."""
        return self.mous / "rawdata"

    @property
    def working(self) -> Path:
        """Where CASA runs, and the request lies."""
        return self.mous / "working"

    @property
    def products(self) -> Path:
        """Where the pipeline exports to."""
        return self.mous / "products"


def wanted_blocks(found: FoundMous, wish: Wish) -> tuple[ExecBlockUid, ...]:
    """Return the blocks that are wanted.

    Raises
    ------
    BadArgumentsError
        If one is none of the MOUS.
    """
    known = found.structure.execution_blocks
    strangers = [block for block in wish.blocks if block not in known]
    if strangers:
        raise BadArgumentsError(
            f"{', '.join(strangers)}: not among the execution blocks of {found.structure.mous_uid} "
            f"with QA0 Pass, which are {', '.join(known)}"
        )
    return wish.blocks or known


def make_tree(root: Path, found: FoundMous, created: datetime) -> Tree:
    """Make the folders, and write the OUS status document of each level that has one.

    The documents' names are ours: it is not public how pipelineMakeRequest calls them.
    """
    tree = Tree(root=root, relative_path=relative_path(found.structure, ProjectSummary.moment(created)))
    for folder in (tree.rawdata, tree.working, tree.products):
        folder.mkdir(parents=True)
    places = {
        found.structure.tree.sgous_uid: tree.mous.parent.parent,
        found.structure.tree.gous_uid: tree.mous.parent,
        found.structure.mous_uid: tree.mous,
    }
    for uid, text in found.status_documents.items():
        (places[uid] / f"OUSStatus_{uid.file_form}.xml").write_text(text, encoding="utf-8")
    return tree


def write_request(
    tree: Tree, found: FoundMous, wish: Wish, blocks: Collection[ExecBlockUid], *, casa_version: str, created: datetime
) -> tuple[Path, ProcessingRequest]:
    """Write the request into ``working``, named after the status of the scheduling block.

    Raises
    ------
    PprError
        If the pipeline of this CASA would misread it.
    """
    recipe = find_recipe(wish.kind, casa_version)
    request = processing_request(
        found.structure,
        blocks,
        procedure=recipe.procedure(copytoraw=wish.copytoraw, chosen=wish.chosen),
        observing_mode=recipe.intent,
        created=created,
    )
    check_release(request.procedure, casa_version)
    path = tree.working / file_name(found.structure)
    path.write_bytes(write_ppr(request))
    return path, request
