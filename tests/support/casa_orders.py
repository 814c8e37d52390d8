"""Orders of restores with their inputs in a store: what comes before the casa-runner, in short."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid4

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid, MousUid, ProjectCode, SessionName
from contracts.manifests import AsdmManifest, StagedFile
from contracts.messages import RestoreOrdered
from contracts.messages.parts import MousStructure, NamedRef, ObjectRef, RestoreRequest, Selection, Session
from shared.objects import ObjectStore
from tests.support.samples import REQUEST, STRUCTURE

PPR = """<?xml version="1.0" encoding="UTF-8"?>
<SciPipeRequest xmlns="Alma/pipelinescience/SciPipeRequest">
  <ProcessingRequests><ProcessingRequest>
    <ProcessingIntents>
      <Intents><Keyword xmlns="">PROCESS</Keyword><Value xmlns="">true</Value></Intents>
      <Intents><Keyword xmlns="">{session}</Keyword><Value xmlns="">{eb_uid}</Value></Intents>
    </ProcessingIntents>
    <ProcessingProcedure>
      <ProcedureTitle>hifa_restore</ProcedureTitle>
      <ProcessingCommand><Command>{command}</Command><ParameterSet/></ProcessingCommand>
    </ProcessingProcedure>
    <DataSet><SchedBlockSet><SchedBlockIdentifier>
      <AsdmIdentifier><AsdmDiskName>{name}</AsdmDiskName></AsdmIdentifier>
    </SchedBlockIdentifier></SchedBlockSet></DataSet>
  </ProcessingRequest></ProcessingRequests>
</SciPipeRequest>
"""


def ppr_text(eb_uid: ExecBlockUid, session: str = "session_1", command: str = "hifa_restoredata") -> bytes:
    """Write the parts of a processing request that matter to a runner."""
    return PPR.format(session=session.upper(), eb_uid=eb_uid, command=command, name=eb_uid.file_form).encode()


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
    ppr: bytes | None = None,
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
    """
    session = SessionName("session_1")
    request = RestoreRequest.model_validate(
        REQUEST.model_dump()
        | {
            "request_id": request_id or uuid4(),
            "mous_uid": mous_uid,
            "project_code": ProjectCode("2017.1.00886.L"),
            "selection": selection or Selection(calibrator_fields=tuple(fields)),
        }
    )
    structure = MousStructure.model_validate(
        STRUCTURE.model_dump()
        | {"mous_uid": mous_uid, "sessions": (Session(name=session, execution_blocks=(eb_uid,)),), "products": ()}
    )
    made_of = f"{asdm} {sorted(products)} {sorted(fields)} {selection}"
    order = RestoreOrdered(
        request=request,
        structure=structure,
        eb_uid=eb_uid,
        session=session,
        asdm=stage_asdm(objects, eb_uid, asdm),
        products=tuple(
            NamedRef(name=path.name, ref=put_file(objects, f"calibration/{uuid4().hex}/{path.name}", path))
            for path in products
        ),
        ppr=NamedRef(name="PPR_x.xml", ref=objects.put_bytes("ppr/PPR_x.xml", ppr or ppr_text(eb_uid))),
        casa_version=casa_version,
        pipeline_version="2025.1.0.35",
        restore_key=restore_key or hashlib.sha256(made_of.encode()).hexdigest()[:32],
    )
    return Event.first(order, source="/alma-restore/ppr-builder")
