"""Read the sessions out of an OUSStatus document, as the XML column of OBS_UNIT_SET_STATUS holds it.

The document's schema is not public: names are those of the public code that
reads it, and where it is unknown whether a value is an attribute or an element,
both are read. Times are not read: an end time can be missing or say ``End time
not known yet.``, and sessions stand in the order of their beginning.
"""

from typing import ClassVar

from lxml import etree

from contracts.identifiers import ExecBlockUid, InvalidIdentifierError, MousUid
from services.metadata_resolver.sessions import StoredSessions
from shared.errors import RestoreError
from shared.pipeline_files.untrusted_xml import UnsafeXmlError, read_xml

MAX_BYTES = 4 * 2**20


class OusStatusError(RestoreError):
    """A MOUS's status document cannot be read; an operator has to look at it."""

    code: ClassVar[str] = "ous_status_unreadable"


def read_sessions(document: str, mous_uid: MousUid) -> StoredSessions:
    """Return the execution blocks of every session in stored order, empty sessions included.

    Raises
    ------
    OusStatusError
        If it is not a readable OUSStatus, or another MOUS's, or names an execution block by no UID.
    """
    try:
        # lxml refuses a text whose declaration names an encoding: as bytes it is read as declared.
        root = read_xml(_as_utf8(document), max_bytes=MAX_BYTES)
        _check_owner(root, mous_uid)
        return [_blocks(session) for session in _children(root, "Session")]
    except (UnsafeXmlError, InvalidIdentifierError) as error:
        raise OusStatusError(
            f"OBS_UNIT_SET_STATUS.XML of {mous_uid}: {error}; have the status document corrected"
        ) from error


def _as_utf8(document: str) -> bytes:
    """Drop the declaration, whose encoding was the stored bytes' and is not the text's."""
    text = document.lstrip("\ufeff \t\r\n")
    if text.startswith("<?xml"):
        text = text.partition("?>")[2]
    return text.encode()


def _check_owner(root: etree._Element, mous_uid: MousUid) -> None:
    if _name(root) != "OUSStatus":
        raise UnsafeXmlError(f"the root element is {_name(root)}, not OUSStatus")
    for entity in _children(root, "OUSStatusEntity"):
        if (owner := entity.get("entityId")) is not None and MousUid(owner) != mous_uid:
            raise UnsafeXmlError(f"the document is that of {owner}")


def _blocks(session: etree._Element) -> tuple[ExecBlockUid, ...]:
    return tuple(ExecBlockUid(_value(ref, "ExecBlockId")) for ref in _children(session, "ExecBlockRef"))


def _value(element: etree._Element, name: str) -> str:
    attribute = element.get(name)
    if attribute is not None:
        return attribute
    return next((child.text or "" for child in _children(element, name)), element.text or "")


def _children(element: etree._Element, name: str) -> list[etree._Element]:
    return [child for child in element if _name(child) == name]


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
