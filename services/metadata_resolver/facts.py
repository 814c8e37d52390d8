"""What the archive's tables hold of a MOUS, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contracts.identifiers import ExecBlockUid
from contracts.messages.parts import ProductFile, ProjectTree


@dataclass(frozen=True, kw_only=True)
class ExecutionBlock:
    """An execution block as the archive's tables have it; times are UTC and may be missing."""

    uid: ExecBlockUid
    sched_block_uid: str
    session_id: str | None
    passed_qa0: bool
    start_time: datetime | None = None
    session_end_time: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class MousRecords:
    """What the tables hold of a MOUS.

    Attributes
    ----------
    tree
        The entities around it.
    blocks
        All its execution blocks, whatever became of them, oldest first.
    status_document
        Its OUSStatus document; None if the tables have none.
    products
        Those of its product files that a restore can need.
    product_dates
        When product files came into the archive, UTC, by file id, as far as known.
    """

    tree: ProjectTree
    blocks: tuple[ExecutionBlock, ...]
    status_document: str | None
    products: tuple[ProductFile, ...]
    product_dates: Mapping[str, datetime] = field(default_factory=dict)
