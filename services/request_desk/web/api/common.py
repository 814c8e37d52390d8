"""What the routes of the API share: where they lie, and what their faults look like in OpenAPI."""

from typing import Any

from fastapi import Request
from pydantic import BaseModel, Field

from services.request_desk.web.acting import Acting

PREFIX = "/api/v1"


class Problem(BaseModel):
    """What was wrong with a call (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    code: str = Field(description="Stable, for programs")
    detail: str
    faults: list[dict[str, str]] | None = Field(default=None, description="Where and what, of values that were sent")


def faults(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the faults that a route may answer with; those that every route has are always among them."""
    found = {401, 403, 413, 422, 429, 500, 503, *statuses}
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    return {status: {"description": "A problem", "content": content} for status in sorted(found)}


def acting_of(request: Request) -> Acting:
    """Return what does things for people."""
    found: Acting = request.app.state.acting
    return found
