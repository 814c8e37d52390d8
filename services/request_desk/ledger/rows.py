"""How a record stands in the tables."""

from typing import Any

from services.request_desk.ledger.records import RequestRecord
from services.request_desk.ledger.stuck import still_since


def request_row(record: RequestRecord) -> dict[str, Any]:
    """Tell the row of a request."""
    owner = (record.owner_account, record.owner_email, record.owner_name)
    words = (record.project, record.mous, record.ticket, *owner, str(record.id))
    return {
        "id": record.id,
        "change": record.change,
        "state": record.state.value,
        "step": None if record.step is None else record.step.value,
        "active": record.is_active,
        "project": record.project,
        "mous": record.mous,
        "owner_account": record.owner_account,
        "owner_email": None if record.owner_email is None else record.owner_email.lower(),
        "ticket": record.ticket,
        "words": "\n".join(word for word in words if word).lower(),
        "submitted": record.submitted,
        "still_since": still_since(record),
        "illegal_moves": len(record.illegal),
        "record": record.model_dump_json(exclude_defaults=True),
    }


def block_rows(record: RequestRecord) -> dict[str, dict[str, Any]]:
    """Tell the rows of a request's blocks, by their UIDs."""
    return {
        block.eb_uid: {
            "request_id": record.id,
            "eb_uid": block.eb_uid,
            "state": block.state.value,
            "step": None if block.step is None else block.step.value,
            "active": record.is_active,
        }
        for block in record.blocks
    }
