"""Writes a processing request as XML: the same request gives the same bytes."""

from collections.abc import Mapping

from lxml import etree

from shared.pipeline_files.ppr import names
from shared.pipeline_files.ppr.dataset import SchedBlock
from shared.pipeline_files.ppr.model import ProcessingRequest
from shared.pipeline_files.ppr.procedure import Procedure
from shared.pipeline_files.ppr.project import ProjectStructure, ProjectSummary
from shared.pipeline_files.ppr.rules import written
from shared.pipeline_files.ppr.sessions import Intent

_RESULTS: Mapping[str, str] = {
    "ArchiveResults": "false",
    "CleanUpDisk": "false",
    "UpdateProjectLifeCycle": "false",
    "NotifyOperatorWhenDone": "false",
    "PipelineOperatorAdress": "Unknown",
}


def write_ppr(request: ProcessingRequest) -> bytes:
    """Write a request in UTF-8, one element a line, with ALMA's order, namespaces and spelling."""
    root = etree.Element(f"{{{names.PPR}}}SciPipeRequest", nsmap=names.NSMAP)  # type: ignore[arg-type]  # None is the default namespace
    root.set(f"{{{names.XSI}}}type", "SciPipeRequest")
    entity = {"entityId": "UID_UNASSIGNED", "entityTypeName": "SciPipeRequest", "datamodelVersion": "0.1"}
    _element(root, "SciPipeRequestEntity", attributes=entity)
    _summary(_element(root, "ProjectSummary"), request.summary)
    _structure(_element(_element(root, "ProjectStructure"), "AlmaStructure"), request.structure)
    processing = _element(_element(root, "ProcessingRequests"), "ProcessingRequest")
    _intents(_element(processing, "ProcessingIntents"), request.intents)
    _procedure(_element(processing, "ProcessingProcedure"), request.procedure)
    block_set = _element(_element(processing, "DataSet"), "SchedBlockSet")
    _sched_block(_element(block_set, "SchedBlockIdentifier"), request.sched_block)
    results = _element(root, "ResultsProcessing")
    for tag, value in _RESULTS.items():
        _bare(results, tag, value)
    body: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=False, pretty_print=True)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body


def _summary(parent: etree._Element, summary: ProjectSummary) -> None:
    _bare(parent, "ProposalCode", summary.proposal_code)
    _bare(parent, "Observatory", summary.observatory)
    _bare(parent, "Telescope", summary.telescope)
    _optional(parent, "ProcessingSite", summary.processing_site)
    _optional(parent, "Operator", summary.operator)
    _optional(parent, "Mode", summary.mode)
    _optional(parent, "Version", summary.version)
    time = summary.creation_time
    _optional(parent, "CreationTime", None if time is None else time.strftime(names.TIME_FORMAT)[:-3])


def _structure(parent: etree._Element, structure: ProjectStructure) -> None:
    project = {
        "entityId": structure.obs_project_uid,
        "partId": structure.obs_unit_set_part_id,
        "entityTypeName": "ObsProject",
    }
    _element(parent, "ObsUnitSetRef", namespace=names.OBS_PROJECT, attributes=project)
    _bare(parent, "ObsUnitSetTitle", structure.obs_unit_set_title)
    _bare(parent, "ObsUnitSetType", structure.obs_unit_set_type)
    _reference(parent, "ProjectStatus", names.PROJECT_STATUS, structure.project_status_uid)
    _reference(parent, "OUSStatus", names.OUS_STATUS, structure.mous_uid)


def _intents(parent: etree._Element, intents: tuple[Intent, ...]) -> None:
    for intent in intents:
        element = _element(parent, "Intents")
        _bare(element, "Keyword", intent.keyword)
        # ALMA writes truth values of intents in lower case, those of parameters as Python does.
        text = written(intent.value)
        _bare(element, "Value", text.lower() if isinstance(intent.value, bool) else text)


def _procedure(parent: etree._Element, procedure: Procedure) -> None:
    _element(parent, "ProcedureTitle", procedure.title)
    for command in procedure.commands:
        element = _element(parent, "ProcessingCommand")
        _element(element, "Command", command.task)
        parameters = _element(element, "ParameterSet")
        for parameter in command.parameters:
            pair = _element(parameters, "Parameter")
            _element(pair, "Keyword", parameter.keyword)
            _element(pair, "Value", written(parameter.value))


def _sched_block(parent: etree._Element, block: SchedBlock) -> None:
    _bare(parent, "RelativePath", block.relative_path)
    if block.sched_block_uid is not None:
        _reference(parent, "SchedBlock", names.SCHED_BLOCK, block.sched_block_uid, documentVersion="1")
    if block.sb_status_uid is not None:
        _reference(parent, "SBStatus", names.SB_STATUS, block.sb_status_uid)
    _optional(parent, "SBTitle", block.title)
    for asdm in block.asdms:
        element = _element(parent, "AsdmIdentifier")
        reference = _element(element, "AsdmRef", namespace=names.VALUE_TYPES)
        _element(reference, "ExecBlockId", asdm.exec_block_uid, namespace=names.VALUE_TYPES)
        _element(element, "AsdmDiskName", asdm.disk_name)


def _reference(parent: etree._Element, kind: str, namespace: str, uid: str, **more: str) -> None:
    attributes = {"entityId": uid, "entityTypeName": kind, **more}
    _element(parent, f"{kind}Ref", namespace=namespace, attributes=attributes)


def _optional(parent: etree._Element, tag: str, text: str | None) -> None:
    if text is not None:
        _bare(parent, tag, text)


def _bare(parent: etree._Element, tag: str, text: str) -> None:
    """Add an element without a namespace, as ALMA's schema has its plain members."""
    element = etree.SubElement(parent, tag, nsmap={None: ""})  # type: ignore[dict-item]  # as above
    element.text = text or None


def _element(
    parent: etree._Element,
    tag: str,
    text: str | None = None,
    *,
    namespace: str = names.PPR,
    attributes: Mapping[str, str] | None = None,
) -> etree._Element:
    element = etree.SubElement(parent, f"{{{namespace}}}{tag}", dict(attributes or {}))
    element.text = text or None
    return element
