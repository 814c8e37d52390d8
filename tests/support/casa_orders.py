"""Orders of restores with their inputs in a store: what comes before the casa-runner, in short."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid4

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid, MousUid, ProjectCode, SessionName
from contracts.manifests import AsdmManifest, StagedFile
from contracts.messages import RestoreOrdered
from contracts.messages.parts import (
    CalibrationKind,
    CasaChoice,
    MousStructure,
    NamedRef,
    ObjectRef,
    RestoreRequest,
    Selection,
    Session,
)
from services.casa_runner.selection import Chosen
from services.ppr_builder.build import processing_request
from shared.objects import ObjectStore
from shared.pipeline_files.ppr import Kind, find_recipe, write_ppr
from tests.support.samples import REQUEST, STRUCTURE, WHEN

ALL = Chosen(fields=(), spws=(), averaged=False, in_time=False, transform={})
"""The whole of a block, as it is."""
_SESSION = SessionName("session_1")


def ppr_of(structure: MousStructure, *blocks: ExecBlockUid, kind: Kind = Kind.RESTORE) -> bytes:
    """Write the processing request for some blocks of a MOUS, as the ppr-builder does."""
    recipe = find_recipe(kind, "6.6.6")
    request = processing_request(
        structure, blocks, procedure=recipe.procedure(), observing_mode=recipe.intent, created=WHEN
    )
    return write_ppr(request)


def in_session(structure: MousStructure, number: int, *blocks: ExecBlockUid) -> MousStructure:
    """Give a MOUS whose blocks are all in one session, those before it being empty."""
    sessions = tuple(
        Session(name=SessionName.numbered(each), execution_blocks=blocks if each == number else ())
        for each in range(1, number + 1)
    )
    return structure.model_copy(update={"sessions": sessions})


def put_file(objects: ObjectStore, key: str, path: Path) -> ObjectRef:
    """Store a file."""
    return objects.put_bytes(key, path.read_bytes())


def stage_asdm(objects: ObjectStore, eb_uid: ExecBlockUid, folder: Path) -> ObjectRef:
    """Store an ASDM as the fetcher does, and return its manifest's reference."""
    prefix = f"asdm/{eb_uid.file_form}/{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    files = tuple(
        StagedFile(
            path=path.relative_to(folder).as_posix(),
            ref=put_file(objects, f"{prefix}/{path.relative_to(folder).as_posix()}", path),
            archive_file_id=path.name,
            archive_version=1,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )
    manifest = AsdmManifest(eb_uid=eb_uid, files=files)
    return objects.put_bytes(f"{prefix}/manifest.json", manifest.model_dump_json().encode())


def order_restore(
    objects: ObjectStore,
    *,
    mous_uid: MousUid,
    eb_uid: ExecBlockUid,
    asdm: Path,
    products: Sequence[Path],
    fields: Sequence[str] = (),
    casa_version: str = "6.7.0.31",
    request_id: UUID | None = None,
    restore_key: str | None = None,
    selection: Selection | None = None,
    kind: Kind = Kind.RESTORE,
    ppr: bytes | None = None,
    casa: CasaChoice | None = None,
    calibration: CalibrationKind | None = None,
) -> Event:
    """Put the inputs of a restore into a store and order it; the block is its MOUS's only one.

    Parameters
    ----------
    fields
        Calibrator fields that are asked for; all data if there are none.
    selection
        What is asked for, instead of ``fields``.
    restore_key
        Made of the fields and of the inputs' places if None.
    kind
        What the processing request asks for.
    ppr
        The processing request, instead of one of this kind.
    casa, calibration
        As the ppr-builder says them.
    """
    structure = _structure_of(mous_uid, eb_uid)
    made_of = f"{asdm} {sorted(products)} {sorted(fields)} {selection}"
    ppr = ppr or ppr_of(structure, eb_uid, kind=kind)
    order = RestoreOrdered(
        request=_request_of(mous_uid, request_id, selection or Selection(calibrator_fields=tuple(fields))),
        structure=structure,
        eb_uid=eb_uid,
        session=_SESSION,
        asdm=stage_asdm(objects, eb_uid, asdm),
        products=tuple(
            NamedRef(name=path.name, ref=put_file(objects, f"calibration/{uuid4().hex}/{path.name}", path))
            for path in products
        ),
        ppr=NamedRef(name="PPR_x.xml", ref=objects.put_bytes("ppr/PPR_x.xml", ppr)),
        casa_version=casa_version,
        pipeline_version="2025.1.0.35",
        casa=casa,
        calibration=calibration,
        restore_key=restore_key or hashlib.sha256(made_of.encode()).hexdigest()[:32],
    )
    return Event.first(order, source="/alma-restore/ppr-builder")


def _request_of(mous_uid: MousUid, request_id: UUID | None, selection: Selection) -> RestoreRequest:
    return RestoreRequest.model_validate(
        REQUEST.model_dump()
        | {
            "request_id": request_id or uuid4(),
            "mous_uid": mous_uid,
            "project_code": ProjectCode("2017.1.00886.L"),
            "selection": selection,
        }
    )


def _structure_of(mous_uid: MousUid, eb_uid: ExecBlockUid) -> MousStructure:
    return MousStructure.model_validate(
        STRUCTURE.model_dump()
        | {"mous_uid": mous_uid, "sessions": (Session(name=_SESSION, execution_blocks=(eb_uid,)),), "products": ()}
    )
