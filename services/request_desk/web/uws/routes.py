"""The resources of UWS 1.1 (section 2.2) under /uws."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from services.request_desk.web.access import User
from services.request_desk.web.faults import NotThereError, UnusableError
from services.request_desk.web.identity import Identity
from services.request_desk.web.parts import Parts, PartsHere
from services.request_desk.web.uws.forms import form_of, one, time_of, wait_of, wanted_of
from services.request_desk.web.uws.jobs import Job
from services.request_desk.web.uws.service import Jobs
from services.request_desk.web.uws.xml import (
    job_document,
    jobs_document,
    parameters_document,
    results_document,
    time_text,
)

router = APIRouter(prefix="/uws", include_in_schema=False)
XML = "application/xml"


def jobs_of(request: Request) -> Jobs:
    """Return the jobs of this application."""
    found: Jobs = request.app.state.jobs
    return found


JobsHere = Annotated[Jobs, Depends(jobs_of)]


async def sent_form(request: Request) -> dict[str, list[str]]:
    """Read what was sent in address and body together."""
    pairs = list(request.query_params.multi_items())
    if request.method == "POST":
        async with request.form(max_files=0, max_fields=200) as form:
            pairs += [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    return form_of(pairs)


Sent = Annotated[dict[str, list[str]], Depends(sent_form)]


@router.get("")
async def listed(user: User, parts: PartsHere, jobs: JobsHere, sent: Sent) -> Response:
    """List jobs: PHASE, AFTER, LAST."""
    found = await parts.workers.do(jobs.listed, user, wanted_of(sent))
    addresses = [_address(parts, job.id) for job in found]
    return Response(jobs_document(found, addresses=addresses), media_type=XML)


@router.post("")
async def create(user: User, parts: PartsHere, jobs: JobsHere, sent: Sent) -> Response:
    """Make a job, and begin it if PHASE=RUN."""
    phase = _phase_asked(sent.pop("PHASE", []))
    job_id = await parts.workers.do(jobs.create, user, sent)
    if phase == "RUN":
        await parts.workers.do(jobs.run, user, job_id)
    return _to_job(parts, job_id)


@router.get("/{job_id}")
async def show(job_id: UUID, user: User, parts: PartsHere, jobs: JobsHere, sent: Sent) -> Response:
    """Show a job; with WAIT not before its phase is another one."""
    wait, from_phase = wait_of(sent), one(sent, "PHASE")
    job = await parts.workers.do(jobs.find, user, job_id)
    if wait is not None and job.phase.is_active and from_phase in (None, job.phase):
        job = await _changed(user, job, wait, parts, jobs)
    return Response(job_document(job), media_type=XML)


@router.post("/{job_id}")
async def act(job_id: UUID, user: User, parts: PartsHere, jobs: JobsHere, sent: Sent) -> Response:
    """Delete a job (ACTION=DELETE), or change its parameters while it is pending."""
    if "ACTION" in sent:
        if (one(sent, "ACTION") or "").upper() != "DELETE":
            raise UnusableError("ACTION: only DELETE is known", reason="action")
        return await delete(job_id, user, parts, jobs)
    return await set_parameters(job_id, user, parts, jobs, sent)


@router.delete("/{job_id}")
async def delete(job_id: UUID, user: User, parts: PartsHere, jobs: JobsHere) -> Response:
    """Delete a job: one that goes on is aborted, results stay until their destruction."""
    await parts.workers.do(jobs.abort, user, job_id)
    return RedirectResponse(f"{parts.base_url}/uws", status_code=303)


@router.post("/{job_id}/phase")
async def set_phase(job_id: UUID, user: User, parts: PartsHere, jobs: JobsHere, sent: Sent) -> Response:
    """Begin (RUN) or end (ABORT) a job."""
    phase = _phase_asked(sent.get("PHASE", []))
    if phase is None:
        raise UnusableError("PHASE: give RUN or ABORT", reason="phase")
    await parts.workers.do(jobs.run if phase == "RUN" else jobs.abort, user, job_id)
    return _to_job(parts, job_id)


@router.post("/{job_id}/destruction")
async def set_destruction(job_id: UUID, user: User, parts: PartsHere, jobs: JobsHere, sent: Sent) -> Response:
    """Put the destruction of the results off."""
    try:
        until = time_of(one(sent, "DESTRUCTION") or "")
    except ValueError as error:
        raise UnusableError("DESTRUCTION: give a time like 2027-01-31T12:00:00Z", reason="time") from error
    await parts.workers.do(jobs.set_destruction, user, job_id, until)
    return _to_job(parts, job_id)


@router.post("/{job_id}/executionduration")
async def set_duration(job_id: UUID, user: User, parts: PartsHere, jobs: JobsHere) -> Response:
    """Take a limit to the duration and let it be: jobs are not limited, which UWS lets a service decide."""
    await parts.workers.do(jobs.find, user, job_id)
    return _to_job(parts, job_id)


@router.post("/{job_id}/parameters")
async def set_parameters(job_id: UUID, user: User, parts: PartsHere, jobs: JobsHere, sent: Sent) -> Response:
    """Change parameters of a job that is not begun."""
    await parts.workers.do(jobs.change, user, job_id, sent)
    return _to_job(parts, job_id)


@router.get("/{job_id}/{what}")
async def part(job_id: UUID, what: str, user: User, parts: PartsHere, jobs: JobsHere) -> Response:
    """Show a part of a job."""
    job = await parts.workers.do(jobs.find, user, job_id)
    match what:
        case "parameters":
            return Response(parameters_document(job), media_type=XML)
        case "results":
            return Response(results_document(job), media_type=XML)
        case "phase" | "quote" | "executionduration" | "destruction" | "error" | "owner":
            return PlainTextResponse(_texts(job)[what])
        case _:
            raise NotThereError("a job has no such part", reason="unknown_part")


@router.get("/{job_id}/results/{name}")
async def result(job_id: UUID, name: str, user: User, parts: PartsHere, jobs: JobsHere) -> Response:
    """Lead to one of the results."""
    job = await parts.workers.do(jobs.find, user, job_id)
    for found in job.results:
        if found.id == name:
            return RedirectResponse(found.href, status_code=303)
    raise NotThereError("the job has no such result", reason="unknown_result")


async def _changed(user: Identity, job: Job, seconds: float, parts: Parts, jobs: Jobs) -> Job:
    """Wait until a job has another phase; what goes on within its phase wakes nobody."""
    since, phase = job.change, job.phase
    try:
        async with asyncio.timeout(seconds):
            while job.phase is phase:
                if await parts.live.wait(job.id, since=since, timeout=seconds) is None:
                    return job
                job = await parts.workers.do(jobs.find, user, job.id)
                since = job.change
    except TimeoutError:
        pass
    return job


def _texts(job: Job) -> dict[str, str]:
    return {
        "phase": job.phase,
        "quote": time_text(job.quote) or "",
        "executionduration": "0",
        "destruction": time_text(job.destruction) or "",
        "error": job.error or "",
        "owner": job.owner or "",
    }


def _phase_asked(values: list[str]) -> str | None:
    asked = {value.strip().upper() for value in values if value.strip()}
    if not asked:
        return None
    if len(asked) > 1 or not asked <= {"RUN", "ABORT"}:
        raise UnusableError("PHASE: give RUN or ABORT", reason="phase")
    return asked.pop()


def _address(parts: Parts, job_id: UUID) -> str:
    return f"{parts.base_url}/uws/{job_id}"


def _to_job(parts: Parts, job_id: UUID) -> Response:
    return RedirectResponse(_address(parts, job_id), status_code=303)
