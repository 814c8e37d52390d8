"""Since when the oldest event waits for each service: said, and followed by nothing that the service would say.

The broker cannot tell: quorum queues have no `head_message_timestamp` (seen of RabbitMQ 3.10.8; asked for in
https://github.com/rabbitmq/rabbitmq-server/issues/6813, open), and to look at a message is to take it. What a service
has put off waits, too; what is being fetched or restored does not. Events that are handled within seconds count while
they are.
"""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

from sqlalchemy import Connection, exists, func, select

from services.request_desk.ledger.records import RequestRecord
from services.request_desk.ledger.states import BlockState, RequestState, Step
from services.request_desk.ledger.tables import BLOCKS, REQUESTS

_TAKES = {
    RequestState.SUBMITTED: "entitlement-checker",
    RequestState.ACCEPTED: "metadata-resolver",
    RequestState.READY: "entitlement-checker",
    RequestState.RELEASED: "notifier",
    RequestState.REFUSED: "notifier",
    RequestState.FAILED: "notifier",
    RequestState.WITHHELD: "notifier",
}
"""Who takes what was said last of a request as a whole; of an ended one, as long as a mail is owed."""
_FETCHES = "ngas-fetcher"
_TAKES_A_BLOCK = {BlockState.STAGED: "ppr-builder", BlockState.ORDERED: "casa-runner"}
"""Who takes what was said last of an execution block."""
TAKERS = tuple(dict.fromkeys((*_TAKES.values(), _FETCHES, *_TAKES_A_BLOCK.values())))
"""The services of which it is known what waits for them."""
_AT_A_TIME = 50


def waiting_since(connection: Connection) -> dict[str, datetime]:
    """Tell when the oldest event was said that waits for each service; nothing of one that none waits for."""
    oldest = dict[str, datetime]()
    for service, since in (*_requests(connection), *_unfetched(connection), *_blocks(connection)):
        oldest[service] = min(since, oldest.get(service, since))
    return oldest


def _requests(connection: Connection) -> Iterator[tuple[str, datetime]]:
    state, still = REQUESTS.c.state, REQUESTS.c.still_since
    asked = select(state, func.min(still)).where(still.is_not(None), state.in_(_TAKES)).group_by(state)
    for name, since in connection.execute(asked):
        yield _TAKES[RequestState(name)], since


def _unfetched(connection: Connection) -> Iterator[tuple[str, datetime]]:
    """Look for requests of which no block is being fetched: one event is for all of a request's blocks."""
    begun = exists().where(BLOCKS.c.request_id == REQUESTS.c.id, BLOCKS.c.state != BlockState.EXPECTED)
    where = (REQUESTS.c.state == RequestState.RESOLVED, REQUESTS.c.step == Step.FETCH, ~begun)
    since = connection.execute(select(func.min(REQUESTS.c.still_since)).where(*where)).scalar()
    if since is not None:
        yield _FETCHES, since


def _blocks(connection: Connection) -> Iterator[tuple[str, datetime]]:
    for state, service in _TAKES_A_BLOCK.items():
        since = _oldest_block(connection, state)
        if since is not None:
            yield service, since


def _oldest_block(connection: Connection, state: BlockState) -> datetime | None:
    """Read requests until the next has gone forward, with all its blocks, later than a block that was found."""
    some = exists().where(BLOCKS.c.request_id == REQUESTS.c.id, BLOCKS.c.state == state, BLOCKS.c.active)
    asked = select(REQUESTS.c.still_since, REQUESTS.c.record).where(some, REQUESTS.c.still_since.is_not(None))
    oldest: datetime | None = None
    asked = asked.order_by(REQUESTS.c.still_since).execution_options(yield_per=_AT_A_TIME)
    with closing(connection.execute(asked)) as rows:
        for still_since, text in rows:
            if oldest is not None and oldest <= still_since:
                break
            blocks = RequestRecord.model_validate_json(text).blocks
            found = [block.moved or still_since for block in blocks if block.state is state]
            oldest = min(found if oldest is None else [oldest, *found])
    return oldest
