"""Reads a processing request by the pipeline's own rules, but refuses what the pipeline would only misread."""

from collections.abc import Iterator
from datetime import UTC, datetime

from lxml import etree

from shared.pipeline_files.ppr.dataset import AsdmIdentifier, SchedBlock
from shared.pipeline_files.ppr.document import local_name, parse, unreadable_names
from shared.pipeline_files.ppr.model import ProcessingRequest
from shared.pipeline_files.ppr.procedure import Command, Parameter, Procedure
from shared.pipeline_files.ppr.project import ProjectStructure, ProjectSummary
from shared.pipeline_files.ppr.rules import PprError, Value, check_value, read_value
from shared.pipeline_files.ppr.sessions import Intent

UNTITLED = "Undefined"
"""What the pipeline calls a procedure without a title."""


def read_ppr(data: bytes) -> ProcessingRequest:
    """Read a request, ours or another's.

    Namespaces and prefixes are not looked at, as in the pipeline. What the pipeline
    can do without may be missing, as in requests made by hand. The layout before
    2013, without ``<AlmaStructure>``, is read too.

    Raises
    ------
    PprError
        With rule ``xml`` if it is not XML within the limits, ``count`` if an
        element is missing or stands there more often than it may, ``content``
        if a text has comments, CDATA or elements in it, or with the rule of the
        model that it breaks.
    """
    root = parse(data)
    if unreadable := unreadable_names(root):
        raise PprError("element_name", f"elements are called {', '.join(unreadable)}, which ends the pipeline's reader")
    _refuse_cdata(root)
    request = _only(_only(root, "ProcessingRequests"), "ProcessingRequest")
    return ProcessingRequest(
        summary=_summary(_only(root, "ProjectSummary")),
        structure=_structure(_only(root, "ProjectStructure")),
        intents=tuple(_intents(_only(request, "ProcessingIntents"))),
        procedure=_procedure(_only(request, "ProcessingProcedure")),
        sched_block=_sched_block(_only(_only(_only(request, "DataSet"), "SchedBlockSet"), "SchedBlockIdentifier")),
    )


def _summary(element: etree._Element) -> ProjectSummary:
    time = _optional(element, "CreationTime")
    return ProjectSummary(
        proposal_code=_text(element, "ProposalCode"),
        observatory=_text(element, "Observatory"),
        telescope=_text(element, "Telescope"),
        processing_site=_optional(element, "ProcessingSite"),
        operator=_optional(element, "Operator"),
        mode=_optional(element, "Mode"),
        version=_optional(element, "Version"),
        creation_time=None if time is None else _time(time),
    )


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise PprError("creation_time", f"CreationTime {text!r} is not like 2018-10-01T12:00:00.000") from error
    # ALMA's files name no zone and mean UTC.
    return ProjectSummary.moment(time if time.tzinfo else time.replace(tzinfo=UTC))


def _structure(element: etree._Element) -> ProjectStructure:
    holder = element if _children(element, "OUSStatusRef") else _only(element, "AlmaStructure")
    for reference in ("ObsUnitSetRef", "ProjectStatusRef", "OUSStatusRef"):
        # Not needed, but printed as a text.
        check_value(_attribute(holder, reference, "entityTypeName"), where=f"{reference} entityTypeName")
    return ProjectStructure(
        obs_project_uid=_attribute(holder, "ObsUnitSetRef", "entityId"),
        obs_unit_set_part_id=_attribute(holder, "ObsUnitSetRef", "partId"),
        obs_unit_set_title=_text(holder, "ObsUnitSetTitle"),
        obs_unit_set_type=_text(holder, "ObsUnitSetType"),
        project_status_uid=_attribute(holder, "ProjectStatusRef", "entityId"),
        mous_uid=_attribute(holder, "OUSStatusRef", "entityId"),
    )


def _intents(element: etree._Element) -> Iterator[Intent]:
    for intent in _children(element, "Intents"):
        yield Intent(keyword=_text(intent, "Keyword"), value=_value(intent))


def _procedure(element: etree._Element) -> Procedure:
    return Procedure(
        title=_default(_optional(element, "ProcedureTitle"), UNTITLED),
        commands=tuple(_command(command) for command in _children(element, "ProcessingCommand")),
    )


def _command(element: etree._Element) -> Command:
    parameters = _children(_only(element, "ParameterSet"), "Parameter")
    return Command(
        task=_text(element, "Command"),
        parameters=tuple(
            Parameter(keyword=_text(parameter, "Keyword"), value=_value(parameter)) for parameter in parameters
        ),
    )


def _value(pair: etree._Element) -> Value:
    return read_value(_optional(pair, "Value") or "", where=_where(pair))


def _sched_block(element: etree._Element) -> SchedBlock:
    return SchedBlock(
        relative_path=_text(element, "RelativePath"),
        sched_block_uid=_reference(element, "SchedBlockRef"),
        sb_status_uid=_reference(element, "SBStatusRef"),
        title=_optional(element, "SBTitle"),
        asdms=tuple(
            AsdmIdentifier.read(_text(_only(asdm, "AsdmRef"), "ExecBlockId"), _text(asdm, "AsdmDiskName"))
            for asdm in _children(element, "AsdmIdentifier")
        ),
    )


def _children(parent: etree._Element, tag: str) -> list[etree._Element]:
    return list(parent.iterchildren(f"{{*}}{tag}"))


def _only(parent: etree._Element, tag: str) -> etree._Element:
    found = _children(parent, tag)
    if len(found) != 1:
        raise PprError("count", f"{_where(parent)} has {len(found)} <{tag}> elements, and needs exactly one")
    return found[0]


def _default(text: str | None, default: str) -> str:
    return default if text is None else text


def _optional(parent: etree._Element, tag: str) -> str | None:
    """Return the text of an element that the pipeline can do without; None if it is not there."""
    return _text(parent, tag) if _children(parent, tag) else None


def _reference(parent: etree._Element, tag: str) -> str | None:
    return _attribute(parent, tag, "entityId") or None if _children(parent, tag) else None


def _text(parent: etree._Element, tag: str) -> str:
    element = _only(parent, tag)
    if len(element):
        raise _not_plain(element)
    return element.text or ""


def _refuse_cdata(root: etree._Element) -> None:
    """Refuse CDATA, which lxml reads as text and the pipeline as nothing."""
    if b"<![CDATA[" not in etree.tostring(root):
        return
    for element in root.iter(etree.Element):
        if not len(element) and b"<![CDATA[" in etree.tostring(element, with_tail=False):
            raise _not_plain(element)


def _not_plain(element: etree._Element) -> PprError:
    return PprError(
        "content", f"{_where(element)} has more than plain text in it (a comment, CDATA …) and would count as empty"
    )


def _attribute(parent: etree._Element, tag: str, name: str) -> str:
    return str(_only(parent, tag).get(name, ""))


def _where(element: etree._Element) -> str:
    return f"<{local_name(element)}> in line {element.sourceline}"
