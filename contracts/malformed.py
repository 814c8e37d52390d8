"""The answer to a message that cannot be read: no event of a request, and told to the sender's own queue only."""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

TOPIC: Final = "message.malformed"
MALFORMED: Final = "org.alma-restore.message.malformed.v1"


class Malformed(BaseModel):
    """What is wrong with a message, and what its sender is to do."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    error: Literal["the message cannot be read or handled"] = "the message cannot be read or handled"
    where: str = Field(description="Each fault with its place, e.g. request.ticket: Field required")
    what_to_do: str


class MalformedAnswer(BaseModel):
    """A message that cannot be read or handled is answered, if it has ``reply_to``, and waits among the dead letters.

    Attributes
    ----------
    id
        The same for the same message, however often it is delivered.
    source
        Whose queue it came to: ``/alma-restore/<service>``.
    time
        When it was found malformed, UTC.
    """

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: str
    type: Literal["org.alma-restore.message.malformed.v1"] = MALFORMED
    time: datetime
    datacontenttype: Literal["application/json"] = "application/json"
    data: Malformed
