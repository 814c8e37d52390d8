"""Reads from a processing request what a restore by CASA tasks has to know, and refuses what it cannot do."""

from dataclasses import dataclass

from lxml import etree

from contracts.identifiers import ExecBlockUid
from contracts.reasons import ReasonCode
from shared.errors import BlockFailedError
from shared.pipeline_files import UnsafeXmlError, read_xml

_BY_TASKS = ("hifa_restoredata",)


class UnusablePprError(BlockFailedError):
    """The processing request asks for something else than this restore; the text says what."""

    code = "ppr_invalid"

    def __init__(self, detail: str) -> None:
        super().__init__(ReasonCode.PPR_INVALID, detail)


@dataclass(frozen=True, kw_only=True)
class ProcessingRequest:
    """What a processing request asks for.

    Attributes
    ----------
    commands
        Pipeline tasks in order.
    asdm_names
        Names of the ASDM directories, without ``.ms``.
    sessions
        Execution blocks by the session's name, in lower case as the pipeline has it.
    """

    commands: tuple[str, ...]
    asdm_names: tuple[str, ...]
    sessions: dict[str, tuple[str, ...]]


def read_ppr(data: bytes) -> ProcessingRequest:
    """Read a processing request.

    Raises
    ------
    UnusablePprError
        If it is no XML that we read.
    """
    try:
        root = read_xml(data)
    except UnsafeXmlError as error:
        raise UnusablePprError(f"the processing request cannot be read: {error}") from error
    return ProcessingRequest(
        commands=tuple(_text(command, "Command") for command in _all(root, "ProcessingCommand")),
        asdm_names=tuple(_text(asdm, "AsdmDiskName").removesuffix(".ms") for asdm in _all(root, "AsdmIdentifier")),
        sessions={
            keyword.lower(): tuple(uid.strip() for uid in _text(intent, "Value").split("|") if uid.strip())
            for intent in _all(root, "Intents")
            if (keyword := _text(intent, "Keyword")).startswith("SESSION_")
        },
    )


def check_ppr(ppr: ProcessingRequest, *, eb_uid: ExecBlockUid, session: str) -> None:
    """Make sure that the request is one restore of this block, in the session that was ordered.

    Raises
    ------
    UnusablePprError
        If its commands are not those that CASA tasks can do, or it is about another block or session.
    """
    if ppr.commands not in {(name,) for name in _BY_TASKS}:
        raise UnusablePprError(
            f"its commands are {', '.join(ppr.commands) or 'none'}; by CASA tasks alone only {_BY_TASKS[0]} can be done"
        )
    if ppr.asdm_names != (eb_uid.file_form,):
        raise UnusablePprError(
            f"it names the ASDMs {', '.join(ppr.asdm_names) or 'none'}, not {eb_uid.file_form} alone"
        )
    if eb_uid not in ppr.sessions.get(session, ()):
        raise UnusablePprError(f"its {session.upper()} does not name {eb_uid}")


def _all(root: etree._Element, name: str) -> list[etree._Element]:
    return [element for element in root.iter() if _local(element) == name]


def _text(parent: etree._Element, name: str) -> str:
    return next(((child.text or "").strip() for child in parent if _local(child) == name), "")


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
