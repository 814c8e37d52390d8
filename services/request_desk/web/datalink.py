"""DataLink 1.1: what belongs to a MOUS or to a delivery, as a VOTable that archives and clients follow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from lxml import etree
from starlette.responses import Response

from contracts.identifiers import InvalidIdentifierError, MousUid
from services.request_desk.deliveries.base import DeliveryView
from services.request_desk.ledger.records import Page, RequestFilter, RequestRecord
from services.request_desk.ledger.states import RequestState
from services.request_desk.web.access import User
from services.request_desk.web.identity import Identity
from services.request_desk.web.parts import Parts, PartsHere
from services.request_desk.web.reading import is_visible, only_own

router = APIRouter(include_in_schema=False)

MEDIA_TYPE = "application/x-votable+xml;content=datalink"
_VOTABLE = "http://www.ivoa.net/xml/VOTable/v1.3"
_NAMESPACES: Any = {None: _VOTABLE}
"""The namespace that needs no prefix; lxml's stubs know none."""
_RESTORE = "restore"
MOST = 10
"""Deliveries of one MOUS that are listed, the newest."""

_FIELDS = (
    ("ID", "meta.id;meta.main", "char", None),
    ("access_url", "meta.ref.url", "char", None),
    ("service_def", "meta.ref", "char", None),
    ("error_message", "meta.code.error", "char", None),
    ("description", "meta.note", "char", None),
    ("semantics", "meta.code", "char", None),
    ("content_type", "meta.code.mime", "char", None),
    ("content_length", "phys.size;meta.file", "long", "byte"),
)
"""Name, UCD, type and unit of each column (DataLink 1.1, table 1)."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """One row: something that belongs to an identifier."""

    id: str
    access_url: str = ""
    service_def: str = ""
    error_message: str = ""
    description: str = ""
    semantics: str = "#this"
    content_type: str = ""
    content_length: int | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        """The row's values in the order of the columns."""
        length = "" if self.content_length is None else str(self.content_length)
        return (
            self.id,
            self.access_url,
            self.service_def,
            self.error_message,
            self.description,
            self.semantics,
            self.content_type,
            length,
        )


@router.get("/datalink/links")
async def links(
    user: User, parts: PartsHere, ids: Annotated[list[str] | None, Query(alias="ID", max_length=20)] = None
) -> Response:
    """Tell what belongs to each ID: a MOUS UID, or the id of a request."""
    found: list[Link] = []
    for one in ids or ():
        found += await parts.workers.do(links_of, user, one[:200], parts)
    return Response(votable(found, parts), media_type=MEDIA_TYPE)


def links_of(user: Identity, text: str, parts: Parts) -> Sequence[Link]:
    """Tell what belongs to an identifier; what one may not see is as if it were not there."""
    try:
        return _links_of_mous(user, text, MousUid(text), parts)
    except InvalidIdentifierError:
        pass
    try:
        record = parts.ledger.request(UUID(text))
    except ValueError:
        record = None
    if record is None or not is_visible(user, record):
        return [Link(id=text, error_message="NotFoundFault: there is no such MOUS or request")]
    return list(_links_of_delivery(text, record, parts)) or [
        Link(id=text, error_message=f"NotFoundFault: the request has no delivery, it is {record.state}")
    ]


def _links_of_mous(user: Identity, text: str, mous: MousUid, parts: Parts) -> Sequence[Link]:
    """List one's own deliveries of a MOUS, and the service that makes one."""
    states = frozenset({RequestState.DELIVERED})
    wanted = only_own(user, RequestFilter(mous=mous, states=states))
    found: list[Link] = []
    for record in parts.ledger.requests(wanted, Page(size=MOST)).requests:
        found += _links_of_delivery(text, record, parts)
    return [
        *found,
        Link(
            id=text,
            service_def=_RESTORE,
            description="Ask for the calibrated data of this MOUS (UWS)",
            semantics="#proc",
            content_type="application/xml",
        ),
    ]


def _links_of_delivery(text: str, record: RequestRecord, parts: Parts) -> Iterator[Link]:
    delivery = parts.deliveries.of_request(record.id) if parts.deliveries else None
    if delivery is None:
        return
    yield from (_link(text, delivery, number) for number in range(len(delivery.files)))


def _link(text: str, delivery: DeliveryView, number: int) -> Link:
    file = delivery.files[number]
    return Link(
        id=text,
        access_url=file.url,
        description=f"{file.name}, SHA-256 {file.sha256}, until {delivery.expires:%Y-%m-%d}",
        semantics="#this" if file.is_data else "#documentation",
        content_type="application/x-tar" if file.is_data else "text/plain",
        content_length=file.size,
    )


def votable(found: Sequence[Link], parts: Parts) -> bytes:
    """Write links as a VOTable, with the description of the service that restores."""
    root = etree.Element(f"{{{_VOTABLE}}}VOTABLE", nsmap=_NAMESPACES)
    root.set("version", "1.4")
    results = etree.SubElement(root, f"{{{_VOTABLE}}}RESOURCE", type="results")
    _sub(results, "INFO", name="QUERY_STATUS", value="OK")
    _sub(results, "INFO", name="standardID", value="ivo://ivoa.net/std/DataLink#links-1.1")
    table = _sub(results, "TABLE")
    for name, ucd, kind, unit in _FIELDS:
        more = {"arraysize": "*"} if unit is None else {"unit": unit}
        _sub(table, "FIELD", name=name, ID=f"col_{name}", ucd=ucd, datatype=kind, **more)
    rows = _sub(_sub(table, "DATA"), "TABLEDATA")
    for link in found:
        row = _sub(rows, "TR")
        for cell in link.cells:
            _sub(row, "TD").text = cell
    _service(root, parts)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _service(root: etree._Element, parts: Parts) -> None:
    """Describe how a restore is asked for; the MOUS is the row's own ID."""
    service = _sub(root, "RESOURCE", type="meta", utype="adhoc:service", name=_RESTORE, ID=_RESTORE)
    text = {"datatype": "char", "arraysize": "*"}
    _sub(service, "PARAM", name="accessURL", value=f"{parts.base_url}/uws", **text)
    _sub(service, "PARAM", name="standardID", value="ivo://ivoa.net/std/UWS#rest-1.1", **text)
    inputs = _sub(service, "GROUP", name="inputParams")
    _sub(inputs, "PARAM", name="MOUS", value="", ref="col_ID", **text)
    _sub(inputs, "PARAM", name="PROJECT", value="", **text)


def _sub(parent: etree._Element, tag: str, /, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{_VOTABLE}}}{tag}", attributes)
