"""Logs of execution blocks: of every attempt, whatever came of it, as the runners have put them into the store."""

from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.identifiers import ExecBlockUid, InvalidIdentifierError
from services.request_desk.web.faults import NotThereError
from shared import keys
from shared.objects import ObjectInfo, ObjectStore

LONGEST_LOG = 2_000_000
"""Bytes of a log that are shown; the end of a longer one."""


class LogView(BaseModel):
    """A log that is kept for a request."""

    model_config = ConfigDict(frozen=True)

    eb_uid: str
    block: str = Field(description="The same as it stands in addresses")
    name: str = Field(description="Names the attempt")
    size: int = Field(description="Bytes")

    @classmethod
    def of(cls, info: ObjectInfo) -> Self:
        """Show a log."""
        *_, block, name = info.key.split("/")
        return cls(eb_uid=ExecBlockUid(block), block=block, name=name, size=info.size)


def logs_of(request_id: UUID, objects: ObjectStore) -> tuple[LogView, ...]:
    """List the logs of a request by execution block."""
    return tuple(LogView.of(info) for info in objects.list(keys.logs(request_id)))


def log_text(request_id: UUID, block: str, name: str, objects: ObjectStore) -> str:
    """Return a log, the last part of a long one.

    Raises
    ------
    NotThereError
        If there is no such log.
    """
    try:
        info = next(
            each
            for each in objects.list(keys.logs(request_id))
            if each.key == keys.log(request_id, ExecBlockUid(block), name)
        )
    except (StopIteration, InvalidIdentifierError) as error:
        raise NotThereError("there is no such log (any more)", reason="no_log") from error
    begin = max(0, info.size - LONGEST_LOG)
    if not info.size:
        return ""
    with objects.open_part(info.ref, offset=begin, length=info.size - begin) as chunks:
        text = b"".join(chunks).decode(errors="replace")
    return text if not begin else f"[the last {LONGEST_LOG} of {info.size} bytes]\n{text}"
