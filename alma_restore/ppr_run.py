"""Fills a tree from the archive and restores it, by the parts of the services and without a bus."""

import shutil
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event as Flag
from typing import Protocol

from alma_restore.ppr_archive import FoundMous
from alma_restore.ppr_make import Tree
from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid
from contracts.manifests import AsdmManifest
from contracts.messages import ArtefactsStaged, RestoreCompleted, RestoreFailed, RestoreOrdered, StructureResolved
from contracts.messages.base import Message
from contracts.messages.parts import MousStructure
from services.ppr_builder.preflight import check_lacking, find_manifest
from shared.bus import Delivery
from shared.errors import BlockFailedError, RestoreError
from shared.objects import ObjectStore
from shared.pipeline_files import canonical_product_name, read_manifest
from shared.pipeline_files.manifest_built import build_manifest, built_name, check_age, write_manifest
from shared.pipeline_files.restore_script import read_restore_script
from shared.service import source_of
from shared.tars import extract

_SOURCE = source_of("command-line")


class BespokeFailedError(RestoreError):
    """A block could not be fetched or restored; the text says which and why."""

    code = "bespoke_failed"


class Handles(Protocol):
    """A service, as far as it is needed here."""

    def handle(self, event: Event, delivery: Delivery) -> Sequence[Event]:
        """Do its work for an event; returns what follows."""


class _Hearing:
    """Takes what a service says on its way, in place of a bus."""

    def __init__(self, listener: Callable[[Event], None]) -> None:
        self.attempt = 1
        self.lost = Flag()
        self.events: list[Event] = []
        self._listener = listener

    def publish(self, events: Sequence[Event]) -> None:
        self.events.extend(events)
        for event in events:
            self._listener(event)


def _told(service: Handles, message: Message, listener: Callable[[Event], None]) -> list[Message]:
    """Give a service a message and return all that it says for it.

    Raises
    ------
    BespokeFailedError
        If it says that a block failed.
    """
    hearing = _Hearing(listener)
    answers = service.handle(Event.first(message, source=_SOURCE), hearing)
    hearing.publish(list(answers))
    for event in hearing.events:
        if isinstance(event.data, RestoreFailed):
            failure = event.data.failure
            raise BespokeFailedError(f"{failure.eb_uid}: {failure.reason.value}: {failure.detail}")
    return [event.data for event in hearing.events]


def download(
    fetcher: Handles, found: FoundMous, blocks: Sequence[ExecBlockUid], listener: Callable[[Event], None]
) -> list[ArtefactsStaged]:
    """Bring blocks and their calibration into the store.

    Raises
    ------
    BespokeFailedError
        If one is missing or damaged in the archive.
    DependencyAwayError
        If the archive does not answer.
    """
    message = StructureResolved(request=found.request, structure=_only(found.structure, blocks))
    said = _told(fetcher, message, listener)
    return [
        each.model_copy(update={"structure": found.structure}) for each in said if isinstance(each, ArtefactsStaged)
    ]


def fill(tree: Tree, staged: ArtefactsStaged, objects: ObjectStore, *, old_layout: bool) -> None:
    """Put a staged block into ``rawdata`` and its calibration beside it, or into ``products`` in the old layout.

    Raises
    ------
    BespokeFailedError
        If a product that could not be had is needed.
    """
    if staged.lacking:
        _check_lacking(staged, objects)
    asdm = AsdmManifest.model_validate_json(objects.read(staged.asdm))
    for file in asdm.files:
        path = tree.rawdata / staged.eb_uid.file_form / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        objects.fetch_to(file.ref, path)
    folder = tree.products if old_layout else tree.rawdata
    for product in staged.products:
        objects.fetch_to(product.ref, folder / canonical_product_name(product.name))


def _check_lacking(staged: ArtefactsStaged, objects: ObjectStore) -> None:
    try:
        manifest = read_manifest(objects.read(find_manifest(staged.products).ref))
        check_lacking(staged.lacking, manifest, staged.eb_uid)
    except BlockFailedError as failure:
        raise BespokeFailedError(f"{staged.eb_uid}: {failure}") from failure


def ensure_manifest(tree: Tree, found: FoundMous, *, old_layout: bool) -> Path | None:
    """Build the manifest that a package before October 2017 lacks; returns it if one was built.

    Raises
    ------
    ManifestError
        If sessions or files of the package are in doubt.
    """
    folder = tree.products if old_layout else tree.rawdata
    structure = found.structure
    if any(folder.glob("*pipeline_manifest.xml")):
        return None
    scripts = sorted(folder.glob("*casa_piperestorescript.py"))
    manifest = build_manifest(
        mous_uid=structure.mous_uid,
        names=[product.file_id for product in structure.products],
        script=read_restore_script(scripts[0].read_bytes(), name=scripts[0].name) if scripts else None,
        casa_version=check_age(structure.casa.version if structure.casa else None),
    )
    path = folder / built_name(structure.mous_uid)
    path.write_bytes(write_manifest(manifest))
    return path


def restore(
    builder: Handles,
    runner: Handles,
    staged: ArtefactsStaged,
    objects: ObjectStore,
    into: Path,
    listener: Callable[[Event], None],
) -> Path:
    """Restore a staged block with the CASA at hand; returns the MeasurementSet.

    Raises
    ------
    BespokeFailedError
        If its inputs do not fit together, or CASA fails.
    """
    (order,) = [each for each in _told(builder, staged, listener) if isinstance(each, RestoreOrdered)]
    done = [each for each in _told(runner, order, listener) if isinstance(each, RestoreCompleted)]
    if not done:
        raise BespokeFailedError(f"{staged.eb_uid}: the runner ended without a result")
    block = done[0].block
    tar = into / block.file_name
    objects.fetch_to(block.tar, tar)
    result = into / block.file_name.removesuffix(".tar")
    shutil.rmtree(result, ignore_errors=True)
    with tarfile.open(tar) as archive:
        extract(archive, into)
    tar.unlink()
    return result


def _only(structure: MousStructure, blocks: Sequence[ExecBlockUid]) -> MousStructure:
    """Leave only some blocks in the sessions, which keep their numbers."""
    sessions = tuple(
        session.model_copy(
            update={"execution_blocks": tuple(block for block in session.execution_blocks if block in blocks)}
        )
        for session in structure.sessions
    )
    return structure.model_copy(update={"sessions": sessions})
