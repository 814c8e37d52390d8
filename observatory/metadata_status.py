"""Write the OUSStatus document of a MOUS, which holds its sessions.

No sample of such a document is public; element names are those that public
code reads (the getters of ``alma.entity.xmlbinding.ousstatus``).
"""

from datetime import timedelta

from lxml import etree

from observatory.metadata_entities import DemoMous, DemoSession

_NAMESPACE = "Alma/Scheduling/OUSStatus"
END_NOT_KNOWN = "End time not known yet."
"""What the scheduler writes when a session begins; it can stay so for ever."""


def status_document(mous: DemoMous) -> str:
    """Return the document: sessions in the order of their beginning, empty ones included."""
    root = etree.fromstring(f'<OUSStatus xmlns="{_NAMESPACE}"/>')
    _reference(root, "OUSStatusEntity", mous.uid, entityTypeName="OUSStatus")
    etree.SubElement(root, _tag("Status"), State=mous.state)
    _reference(root, "ObsUnitSetRef", mous.project.obs_project_uid, partId=mous.part_id)
    _reference(root, "ProjectStatusRef", mous.project.project_status_uid)
    _reference(root, "ContainingObsUnitSetRef", mous.gous_uid)
    _reference(root, "SBStatusRef", mous.sb_status_uid)
    for number, session in enumerate(mous.sessions, start=1):
        _session(root, mous, session, number)
    etree.indent(root)
    document: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return document.decode()


def _session(root: etree._Element, mous: DemoMous, session: DemoSession, number: int) -> None:
    start = mous.first_start + timedelta(days=number - 1)
    end = f"{start + timedelta(hours=2):%Y-%m-%dT%H:%M:%S}" if session.is_end_known else END_NOT_KNOWN
    element = etree.SubElement(root, _tag("Session"))
    for name, text in (("EntityPartId", f"X{number}"), ("StartTime", f"{start:%Y-%m-%dT%H:%M:%S}"), ("EndTime", end)):
        etree.SubElement(element, _tag(name)).text = text
    _reference(element, "SBStatusRef", mous.sb_status_uid)
    for block in session.blocks:
        etree.SubElement(element, _tag("ExecBlockRef"), ExecBlockId=block.uid)


def _reference(parent: etree._Element, name: str, uid: str, **attributes: str) -> None:
    etree.SubElement(parent, _tag(name), {"entityId": uid, **attributes})


def _tag(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"
