"""What the request desk tells, as its clients hold it; shown as tables in notebooks."""

from datetime import datetime
from html import escape
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Told(BaseModel):
    """The base of what the desk tells: frozen; members that this release does not know are kept out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Submitted(Told):
    """What became of one MOUS of a submission."""

    mous: str
    request_id: UUID | None = None
    code: str
    text: str = ""


class Block(Told):
    """An execution block on its way."""

    eb_uid: str
    state: str
    step: str | None = None
    activity: str | None = None
    percent: float | None = None
    bytes_written: int | None = None
    expected_end: datetime | None = None
    attempts: int = 0
    size: int | None = None
    text: str = ""


class Step(Told):
    """A step of a request's way, and how it stands with it: done, now, ahead, ended or left_out."""

    step: str
    standing: str
    blocks_done: int | None = None
    blocks: int | None = None
    seconds: float | None = None


class Waiting(Told):
    """Something is away, and it is tried again."""

    service: str
    next_attempt: datetime


class DeliveryShort(Told):
    """What waits for its user."""

    address: str
    files: int
    size: int
    expires: datetime
    removed: datetime | None = None


class Request(Told):
    """A request, as it was when the desk told of it."""

    id: UUID
    change: int
    project: str | None = None
    mous: str | None = None
    ticket: str | None = None
    state: str
    is_over: bool
    step: str | None = None
    steps: tuple[Step, ...] = ()
    percent: float | None = None
    reason: str | None = None
    text: str | None = None
    submitted: datetime | None = None
    ended: datetime | None = None
    expected_end: datetime | None = None
    notes: tuple[str, ...] = ()
    waiting: Waiting | None = None
    blocks: tuple[Block, ...] = ()
    delivery: DeliveryShort | None = None

    @property
    def is_delivered(self) -> bool:
        """Whether its data waits for the user."""
        return self.state == "delivered"

    def _repr_html_(self) -> str:
        """Show the request as a table."""
        rows: list[tuple[str, Any]] = [
            ("request", self.id),
            ("MOUS", self.mous),
            ("project", self.project),
            ("state", self.state if self.reason is None else f"{self.state} ({self.reason})"),
            ("", self.text),
            ("expected end", _time(self.expected_end)),
            ("delivery", self.delivery.address if self.delivery else None),
            ("until", _time(self.delivery.expires) if self.delivery else None),
        ]
        blocks = [(block.eb_uid, block.state, block.activity or block.step, _percent(block)) for block in self.blocks]
        head = ("execution block", "state", "step", "done")
        return html_table((), [row for row in rows if row[1] is not None]) + (
            html_table(head, blocks) if blocks else ""
        )


class DeliveredFile(Told):
    """A file that waits."""

    name: str
    size: int
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    url: str
    is_data: bool = True


class Delivery(Told):
    """What waits for its user, file by file."""

    request_id: UUID
    address: str
    phase: str
    expires: datetime
    kept: str | None = None
    files: tuple[DeliveredFile, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def _repr_html_(self) -> str:
        """Show the delivery as a table."""
        files = [(file.name, f"{file.size:,}", file.sha256) for file in self.files]
        return html_table((), [("until", _time(self.expires)), ("address", self.address)]) + html_table(
            ("file", "bytes", "SHA-256"), files
        )


class Preview(Told):
    """What a request would meet."""

    mous_uid: str
    project_code: str | None = None
    entitled: bool
    entitlement: str | None = None
    reason: str | None = None
    text: str = ""
    execution_blocks: int | None = None
    size: int | None = None
    seconds: float | None = None
    basis: str = ""


def _percent(block: Block) -> str:
    if block.percent is None:
        return ""
    written = "" if block.bytes_written is None else f", {block.bytes_written:,} bytes"
    return f"{block.percent:.0f} %{written}"


def _time(time: datetime | None) -> str | None:
    return None if time is None else f"{time.astimezone():%Y-%m-%d %H:%M %Z}"


def html_table(head: tuple[str, ...], rows: list[Any]) -> str:
    """Write a table in HTML; whatever stands in it is text."""
    title = f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>" if head else ""
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(str(cell if cell is not None else str()))}</td>' for cell in row)}</tr>"
        for row in rows
    )
    return f"<table>{title}{lines}</table>"
