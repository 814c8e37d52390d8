"""The two XML documents of a processed MOUS: the pipeline's manifest and its processing request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from lxml import etree

from contracts.identifiers import EntityUid, ExecBlockUid, MousUid, ProjectCode, SessionName
from observatory.products_names import ProductNames

Sessions = Mapping[SessionName, Sequence[ExecBlockUid]]

# The calibration half of the recipe hifa_calimage, in its order.
COMMANDS = (
    "hifa_importdata",
    "hifa_flagdata",
    "hifa_fluxcalflag",
    "hif_rawflagchans",
    "hif_refant",
    "h_tsyscal",
    "hifa_tsysflag",
    "hifa_antpos",
    "hifa_bandpassflag",
    "hifa_bandpass",
    "hifa_spwphaseup",
    "hifa_gfluxscale",
    "hifa_timegaincal",
    "hif_applycal",
    "hifa_exportdata",
)
_REQUEST_NS = "Alma/pipelinescience/SciPipeRequest"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
# lxml's stubs do not know the key of the default namespace.
_NAMESPACES = cast("dict[str, str]", {None: _REQUEST_NS, "xsi": _XSI})
_NO_NAMESPACE = cast("dict[str, str]", {None: ""})


@dataclass(frozen=True, kw_only=True)
class ProcessingFacts:
    """What the documents say of a processing besides the MOUS; the UIDs default to invented ones."""

    project_code: ProjectCode = field(default_factory=lambda: ProjectCode("2017.1.00886.L"))
    project_uid: EntityUid = field(default_factory=lambda: EntityUid("uid://A001/X1220/Xabc"))
    project_status_uid: EntityUid = field(default_factory=lambda: EntityUid("uid://A001/X1284/X2600"))
    sous_uid: EntityUid = field(default_factory=lambda: EntityUid("uid://A001/X1284/X265d"))
    gous_uid: EntityUid = field(default_factory=lambda: EntityUid("uid://A001/X1284/X265e"))
    sched_block_uid: EntityUid = field(default_factory=lambda: EntityUid("uid://A001/X1284/X2620"))
    sb_status_uid: EntityUid = field(default_factory=lambda: EntityUid("uid://A001/X1284/X2660"))
    procedure: str = "hifa_calimage"
    pipeline_version: str = "2025.1.0.35"


def manifest_xml(names: ProductNames, sessions: Sessions, *, casa_version: str, pipeline_version: str) -> bytes:
    """Write the pipeline manifest; a session without execution blocks is not in it."""
    oussid = names.mous_uid.file_form
    root = etree.Element("piperesults", name=oussid)
    ous = etree.SubElement(root, "ous", name=oussid)
    etree.SubElement(ous, "casaversion", name=casa_version)
    etree.SubElement(ous, "pipeline_version", name=pipeline_version)
    etree.SubElement(ous, "procedure_name", name=names.procedure)
    environment = etree.SubElement(ous, "execution_environment")
    etree.SubElement(environment, "node", num_mpi_servers="0")
    _member(ous, "piperequest", names, "pprequest.xml")
    for session, ebs in sessions.items():
        if ebs:
            _session(ous, names, session, ebs)
    for tag, suffix in (
        ("weblog", "weblog.tgz"),
        ("casa_cmdlog", "casa_commands.log"),
        ("pipescript", "casa_pipescript.py"),
        ("restorescript", "casa_piperestorescript.py"),
        ("manifest", "pipeline_manifest.xml"),
        ("aux_products_file", "auxproducts.tgz"),
    ):
        _member(ous, tag, names, suffix)
    return _document(root)


def _member(ous: etree._Element, tag: str, names: ProductNames, suffix: str) -> None:
    datatype, _, kind = suffix.rpartition(".")
    etree.SubElement(
        ous,
        tag,
        name=names.of_mous(suffix),
        level="member",
        ous=names.mous_uid.file_form,
        package=names.procedure,
        datatype=datatype,
        format=kind,
    )


def _session(ous: etree._Element, names: ProductNames, session: SessionName, ebs: Sequence[ExecBlockUid]) -> None:
    element = etree.SubElement(ous, "session", name=session)
    etree.SubElement(
        element,
        "caltables",
        name=names.caltables(session),
        ous_name="N/A",
        level="member",
        session=session,
        package=names.procedure,
        datatype="caltables",
        format="tgz",
    )
    for eb in ebs:
        ms = names.ms(eb)
        asdm = etree.SubElement(element, "asdm", name=ms, datatype="asdm", format="sdm")
        flags = {"name": names.flagversions(eb), "asdm": ms, "datatype": "ms.flagversions", "format": "tgz"}
        etree.SubElement(asdm, "finalflags", flags)
        apply = {"name": names.calapply(eb), "asdm": ms, "datatype": "ms.calapply", "format": "txt"}
        etree.SubElement(asdm, "applycmds", apply)


def _document(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def pprequest_xml(mous_uid: MousUid, sessions: Sessions, facts: ProcessingFacts) -> bytes:
    """Write the request that the processing ran from; its sessions are numbered without gaps, empty ones too."""
    root = etree.Element(_in_request("SciPipeRequest"), nsmap=_NAMESPACES)
    root.set(f"{{{_XSI}}}type", "SciPipeRequest")
    entity = {"entityId": "UID_UNASSIGNED", "entityTypeName": "SciPipeRequest", "datamodelVersion": "0.1"}
    etree.SubElement(root, _in_request("SciPipeRequestEntity"), entity)
    _project_summary(root, facts)
    _project_structure(root, mous_uid, facts)
    request = _branch(root, "ProcessingRequests", "ProcessingRequest")
    _intents(request, sessions)
    _procedure(request, facts)
    _data_set(request, mous_uid, sessions, facts)
    results = _branch(root, "ResultsProcessing")
    for tag in ("ArchiveResults", "CleanUpDisk", "UpdateProjectLifeCycle", "NotifyOperatorWhenDone"):
        _plain(results, tag, "false")
    _plain(results, "PipelineOperatorAdress", "Unknown")
    return _document(root)


def _in_request(tag: str) -> str:
    return f"{{{_REQUEST_NS}}}{tag}"


def _branch(parent: etree._Element, *tags: str) -> etree._Element:
    for tag in tags:
        parent = etree.SubElement(parent, _in_request(tag))
    return parent


def _text(parent: etree._Element, tag: str, text: str) -> None:
    etree.SubElement(parent, _in_request(tag)).text = text


def _plain(parent: etree._Element, tag: str, text: str) -> None:
    """Add an element outside the document's namespace, as ALMA's own files have them."""
    etree.SubElement(parent, tag, nsmap=_NO_NAMESPACE).text = text


def _reference(parent: etree._Element, tag: str, kind: str, uid: str, **more: str) -> None:
    namespace = f"Alma/{kind}/{tag.removesuffix('Ref')}"
    if tag == "ObsUnitSetRef":
        namespace = "Alma/ObsPrep/ObsProject"
    attributes = {"entityId": uid, **more, "entityTypeName": namespace.rpartition("/")[2]}
    etree.SubElement(parent, f"{{{namespace}}}{tag}", attributes)


def _project_summary(root: etree._Element, facts: ProcessingFacts) -> None:
    summary = _branch(root, "ProjectSummary")
    for tag, text in (
        ("ProposalCode", facts.project_code),
        ("Observatory", "ALMA Joint Observatory"),
        ("Telescope", "ALMA"),
        ("ProcessingSite", "Undefined"),
        ("Operator", "Anonymous"),
        ("Mode", "CSV"),
        ("Version", "Undefined"),
        ("CreationTime", "2018-10-01T12:00:00.000"),
    ):
        _plain(summary, tag, text)


def _project_structure(root: etree._Element, mous_uid: MousUid, facts: ProcessingFacts) -> None:
    structure = _branch(root, "ProjectStructure", "AlmaStructure")
    _reference(structure, "ObsUnitSetRef", "ObsPrep", facts.project_uid, partId="X644753181")
    _plain(structure, "ObsUnitSetTitle", "Undefined")
    _plain(structure, "ObsUnitSetType", "Member")
    _reference(structure, "ProjectStatusRef", "Scheduling", facts.project_status_uid)
    _reference(structure, "OUSStatusRef", "Scheduling", mous_uid)


def _intents(request: etree._Element, sessions: Sessions) -> None:
    intents = _branch(request, "ProcessingIntents")
    for keyword, value in (
        ("PROCESS", "true"),
        *((session.upper(), " | ".join(ebs)) for session, ebs in sessions.items()),
        ("INTERFEROMETRY_STANDARD_OBSERVING_MODE", "Undefined"),
    ):
        entry = _branch(intents, "Intents")
        _plain(entry, "Keyword", keyword)
        _plain(entry, "Value", value)


def _procedure(request: etree._Element, facts: ProcessingFacts) -> None:
    procedure = _branch(request, "ProcessingProcedure")
    _text(procedure, "ProcedureTitle", facts.procedure)
    for name in COMMANDS:
        command = _branch(procedure, "ProcessingCommand")
        _text(command, "Command", name)
        # Without it the pipeline drops this command and all after it.
        _branch(command, "ParameterSet")


def _data_set(request: etree._Element, mous_uid: MousUid, sessions: Sessions, facts: ProcessingFacts) -> None:
    block = _branch(request, "DataSet", "SchedBlockSet", "SchedBlockIdentifier")
    path = (
        f"{facts.project_code}_2018_10_01T12_00_00.000",
        f"SOUS_{facts.sous_uid.file_form}",
        f"GOUS_{facts.gous_uid.file_form}",
        f"MOUS_{mous_uid.file_form}",
    )
    _plain(block, "RelativePath", "/".join(path))
    _reference(block, "SchedBlockRef", "ObsPrep", facts.sched_block_uid, documentVersion="1")
    _reference(block, "SBStatusRef", "Scheduling", facts.sb_status_uid)
    _plain(block, "SBTitle", "Undefined")
    for eb in (eb for ebs in sessions.values() for eb in ebs):
        identifier = _branch(block, "AsdmIdentifier")
        values = "{Alma/ValueTypes}"
        reference = etree.SubElement(identifier, f"{values}AsdmRef")
        etree.SubElement(reference, f"{values}ExecBlockId").text = eb
        _text(identifier, "AsdmDiskName", eb.file_form)
