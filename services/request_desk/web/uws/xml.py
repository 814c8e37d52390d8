"""Write jobs and lists of jobs as the UWS schema has them (namespace ``http://www.ivoa.net/xml/UWS/v1.0``)."""

from collections.abc import Sequence
from datetime import UTC, datetime

from lxml import etree

from services.request_desk.web.uws.jobs import Job

UWS = "http://www.ivoa.net/xml/UWS/v1.0"
XLINK = "http://www.w3.org/1999/xlink"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
_NAMESPACES = {"uws": UWS, "xlink": XLINK, "xsi": XSI}
VERSION = "1.1"


def job_document(job: Job) -> bytes:
    """Write a job; its elements stand in the order of the schema."""
    root = _root("job")
    _add(root, "jobId", str(job.id))
    _add(root, "runId", job.run_id)
    _add(root, "ownerId", job.owner)
    _add(root, "phase", job.phase)
    _add(root, "quote", time_text(job.quote))
    _add(root, "creationTime", time_text(job.created))
    _add(root, "startTime", time_text(job.started))
    _add(root, "endTime", time_text(job.ended))
    _add(root, "executionDuration", "0")
    _add(root, "destruction", time_text(job.destruction))
    _add_parameters(root, job)
    _add_results(root, job)
    if job.error is not None:
        summary = etree.SubElement(root, f"{{{UWS}}}errorSummary", type="fatal", hasDetail="true")
        _add(summary, "message", job.error)
    return _written(root)


def jobs_document(jobs: Sequence[Job], *, addresses: Sequence[str]) -> bytes:
    """Write a list of jobs."""
    root = _root("jobs")
    for job, address in zip(jobs, addresses, strict=True):
        entry = etree.SubElement(root, f"{{{UWS}}}jobref", {"id": str(job.id), f"{{{XLINK}}}href": address})
        _add(entry, "phase", job.phase)
        _add(entry, "runId", job.run_id)
        _add(entry, "ownerId", job.owner)
        _add(entry, "creationTime", time_text(job.created))
    return _written(root)


def parameters_document(job: Job) -> bytes:
    """Write a job's parameters alone."""
    return _written(_add_parameters(None, job))


def results_document(job: Job) -> bytes:
    """Write a job's results alone."""
    return _written(_add_results(None, job))


def time_text(time: datetime | None) -> str | None:
    """Write a time as UWS wants it: UTC, with its Z."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _root(name: str) -> etree._Element:
    root = etree.Element(f"{{{UWS}}}{name}", nsmap=_NAMESPACES)
    root.set("version", VERSION)
    return root


def _add(parent: etree._Element, name: str, text: str | None) -> None:
    """Add an element; what is not known is nil."""
    element = etree.SubElement(parent, f"{{{UWS}}}{name}")
    if text is None:
        element.set(f"{{{XSI}}}nil", "true")
    else:
        element.text = text


def _add_parameters(parent: etree._Element | None, job: Job) -> etree._Element:
    found = _element(parent, "parameters")
    for name, value in job.parameters:
        etree.SubElement(found, f"{{{UWS}}}parameter", id=name).text = value
    return found


def _add_results(parent: etree._Element | None, job: Job) -> etree._Element:
    found = _element(parent, "results")
    for result in job.results:
        etree.SubElement(
            found,
            f"{{{UWS}}}result",
            {
                "id": result.id,
                f"{{{XLINK}}}href": result.href,
                "size": str(result.size),
                "mime-type": result.mime_type,
            },
        )
    return found


def _element(parent: etree._Element | None, name: str) -> etree._Element:
    if parent is None:
        return etree.Element(f"{{{UWS}}}{name}", nsmap=_NAMESPACES)
    return etree.SubElement(parent, f"{{{UWS}}}{name}")


def _written(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
