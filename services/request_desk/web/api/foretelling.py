"""What a request would meet, told before it is made."""

from typing import Annotated
from uuid import NAMESPACE_URL, uuid5

from fastapi import APIRouter, Query

from contracts.identifiers import MousUid, ProjectCode
from contracts.messages.parts import FieldName, RestoreRequest, Selection
from services.request_desk.web.access import User
from services.request_desk.web.acting import Submission, user_of
from services.request_desk.web.api.common import PREFIX, faults
from services.request_desk.web.faults import NotThereError
from services.request_desk.web.foretelling import Foretold
from services.request_desk.web.identity import Identity
from services.request_desk.web.parts import Parts, PartsHere

router = APIRouter(prefix=PREFIX, tags=["requests"], responses=faults())

_ANY = ProjectCode("2012.1.00000.S")
"""Stands for the project until that of the MOUS is known."""


@router.get("/preview", responses=faults(404))
async def preview(
    user: User,
    parts: PartsHere,
    mous: Annotated[MousUid, Query(description="Like uid://A001/X1284/X265f")],
    project: Annotated[ProjectCode | None, Query(description="That of the MOUS if left out")] = None,
    field: Annotated[list[FieldName] | None, Query(max_length=100, description="Only these calibrators")] = None,
) -> Foretold:
    """Say whether one may have a MOUS, how large the result would be, and how long it would take."""
    return await foretell(user, parts, mous=mous, project=project, fields=tuple(field or ()))


async def foretell(
    user: Identity, parts: Parts, *, mous: MousUid, project: ProjectCode | None, fields: tuple[str, ...] = ()
) -> Foretold:
    """Say what a request of this user would meet.

    Raises
    ------
    NotThereError
        If nothing is foretold here: the archive's database is not read.
    """
    if parts.foreteller is None:
        raise NotThereError(
            "nothing is foretold here: submit the request, it is answered in seconds", reason="no_foreteller"
        )
    selection = Selection(calibrator_fields=fields)
    asked = Submission(project_code=project or _ANY, mous_uids=(mous,), selection=selection)
    person = user_of(user, asked)
    request = RestoreRequest(
        request_id=uuid5(NAMESPACE_URL, "preview"),
        project_code=asked.project_code,
        mous_uid=mous,
        user_name=person.name,
        user_email=person.email,
        user_account=person.account,
        ticket="preview",
        selection=selection,
    )
    return await parts.workers.do(parts.foreteller.foretell, request, project_given=project is not None)
