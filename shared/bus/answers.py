"""Answer the sender of a message that cannot be read or was published to the wrong queue, if it says where to."""

from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from pika import BasicProperties

from contracts.envelope import CONTENT_TYPE
from contracts.malformed import MALFORMED, Malformed, MalformedAnswer
from shared.bus.publisher import Outgoing
from shared.bus.topology import Names

_NAMESPACE = uuid5(NAMESPACE_URL, "tag:alma-restore,2026:malformed")
_LONGEST_QUEUE_NAME = 255
_LONGEST_REASON = 8000
_WHAT_TO_DO = (
    "Correct the message and send it again with a new id; contracts/asyncapi.json describes each message. "
    "This one is kept among the dead letters of {queue} and will not be handled."
)


def answer_malformed(
    body: bytes, properties: BasicProperties, *, queue: str, reason: str, names: Names
) -> Outgoing | None:
    """Write the answer to a message that is the sender's mistake, or None if nobody is to be answered.

    A sender who names one of our own queues is not answered: no stranger shall write into them through us.

    Parameters
    ----------
    body, properties
        The message; ``reply_to`` names the queue for the answer, and ``correlation_id`` (or else
        ``message_id``) comes back with it.
    queue
        Service that could not read it.
    reason
        What is wrong and where.
    names
        Names of our own queues.
    """
    reply_to: object = properties.reply_to  # bytes if it is no UTF-8
    if (
        not isinstance(reply_to, str)
        or not reply_to
        or len(reply_to.encode()) > _LONGEST_QUEUE_NAME
        or names.is_ours(reply_to)
    ):
        return None
    answer = MalformedAnswer(
        id=uuid5(_NAMESPACE, f"{queue}/{body!r}/{properties.message_id}"),
        source=f"/alma-restore/{queue}",
        time=datetime.now(UTC),
        data=Malformed(where=reason[:_LONGEST_REASON], what_to_do=_WHAT_TO_DO.format(queue=queue)),
    )
    return Outgoing(
        exchange="",
        routing_key=reply_to,
        body=answer.model_dump_json().encode(),
        properties=BasicProperties(
            content_type=CONTENT_TYPE,
            type=MALFORMED,
            message_id=str(answer.id),
            correlation_id=properties.correlation_id or properties.message_id,
        ),
    )
