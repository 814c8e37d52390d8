"""The envelope around every message: CloudEvents 1.0 with correlation, causation and trace context.

Events travel in the structured JSON mode: one JSON object with the attributes
and the message under ``data``. The id of an event that answers another is
derived from it, so whoever says the same thing twice says it with the same id.
"""

from datetime import UTC, datetime
from typing import Any, Literal, Self
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError, model_validator
from pydantic_core import from_json

from contracts.messages.base import Message, UnknownMessageTypeError, message_class

CONTENT_TYPE = "application/cloudevents+json"
_NAMESPACE = uuid5(NAMESPACE_URL, "tag:alma-restore,2026:event")
_MAY_BE_LEFT_OUT = {"subject", "time", "correlationid", "traceparent"}
_TRACEPARENT = r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"


class UndecodableEventError(ValueError):
    """The bytes are not an event that this release can read; the text says where and why."""


class Event(BaseModel):
    """A CloudEvents 1.0 event whose data is one of our messages.

    Attributes
    ----------
    id
        Unique per thing said; derived from the cause where there is one.
    source
        Who says it: ``/alma-restore/<service>``.
    type
        Message type and version, see `contracts.messages`.
    subject
        What it is about: the MOUS UID, or the execution block's; a ticket's id if it is about several MOUSs.
    time
        When it was said, UTC.
    correlationid
        The request that all this is for.
    causationid
        The id of the event that this one answers, if any.
    traceparent
        W3C trace context, carried through the whole way of a request.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: str = Field(min_length=1)
    type: str
    subject: str
    time: datetime
    datacontenttype: Literal["application/json"] = "application/json"
    correlationid: UUID
    causationid: UUID | None = None
    traceparent: str = Field(pattern=_TRACEPARENT)
    data: SerializeAsAny[Message]

    @model_validator(mode="before")
    @classmethod
    def _read_data(cls, raw: Any) -> Any:
        """Read ``data`` as the class that ``type`` names, and fill what a plain sender may leave out."""
        if not isinstance(raw, dict) or isinstance(raw.get("data"), Message):
            return raw
        message = message_class(str(raw.get("type"))).model_validate(raw.get("data"))
        # Our own events name all, so that nothing is made in vain: digests and clocks cost more than reading does.
        defaults = {} if raw.keys() >= _MAY_BE_LEFT_OUT else _defaults(message, raw.get("id"))
        return {**defaults, **raw, "data": message}

    @classmethod
    def first(cls, message: Message, *, source: str, event_id: UUID | None = None) -> Self:
        """Make an event that nothing caused: the beginning of a request.

        Parameters
        ----------
        message
            What is said.
        source
            Who says it.
        event_id
            The id to use; a fresh one if None. Say the same thing twice with the same id.
        """
        event_id = event_id or uuid4()
        request_id = _request_id_of(message)
        return cls(
            id=event_id,
            source=source,
            type=message.type_name(),
            subject=_subject_of(message),
            time=datetime.now(UTC),
            correlationid=request_id,
            traceparent=f"00-{request_id.hex}-{_span_of(event_id)}-01",
            data=message,
        )

    def derive(self, message: Message, *, source: str, key: str = "") -> Self:
        """Make an event that this one causes, with an id derived from this one's.

        Parameters
        ----------
        message
            What is said.
        source
            Who says it.
        key
            Tells apart several messages of one type with one cause, e.g. the execution block's UID.
        """
        return self._caused(message, source=source, name=f"{self.id}/{message.type_name()}/{key}")

    def conclude(self, message: Message, *, source: str) -> Self:
        """Make an event that is said once per request, whoever says it first.

        Its id is derived from the request, so two services that both find
        themselves last say the same thing.
        """
        return self._caused(message, source=source, name=f"{self.correlationid}/{message.type_name()}")

    def _caused(self, message: Message, *, source: str, name: str) -> Self:
        event_id = uuid5(_NAMESPACE, name)
        return type(self)(
            id=event_id,
            source=source,
            type=message.type_name(),
            subject=_subject_of(message),
            time=datetime.now(UTC),
            correlationid=self.correlationid,
            causationid=self.id,
            traceparent=_child_traceparent(self.traceparent, event_id),
            data=message,
        )

    @property
    def topic(self) -> str:
        """The routing key: the message's topic without prefix and version."""
        return self.data.topic

    def encode(self) -> bytes:
        """Write the event as CloudEvents structured JSON."""
        return self.model_dump_json(exclude_none=True).encode()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read an event.

        Raises
        ------
        UndecodableEventError
            If it is no JSON, no CloudEvent, of unknown type or version, or its data breaks the contract.
        """
        try:
            raw = from_json(body)
        except ValueError as error:
            raise UndecodableEventError(f"not JSON: {error}") from error
        try:
            return cls.model_validate(raw)
        except UnknownMessageTypeError as error:
            raise UndecodableEventError(str(error)) from error
        except ValidationError as error:
            raise UndecodableEventError(_readable(error)) from error


def _defaults(message: Message, event_id: object) -> dict[str, Any]:
    """Make what a plain sender may leave out."""
    correlation = _request_id_of(message)
    return {
        "subject": _subject_of(message),
        "time": datetime.now(UTC),
        "correlationid": correlation,
        "traceparent": f"00-{correlation.hex}-{_span_of(event_id)}-01",
    }


def _readable(error: ValidationError) -> str:
    """Say each broken rule as ``where: what``."""
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'event'}: {item['msg']}" for item in error.errors()
    )


def _request_id_of(message: Message) -> UUID:
    request = getattr(message, "request", None)
    found = getattr(request if request is not None else message, "request_id", None)
    if not isinstance(found, UUID):
        raise TypeError(f"{message.type_name()} names no request")
    return found


def _subject_of(message: Message) -> str:
    for holder in (message, getattr(message, "block", None), getattr(message, "failure", None)):
        if (eb_uid := getattr(holder, "eb_uid", None)) is not None:
            return str(eb_uid)
    request: Any = getattr(message, "request", message)
    mous_uid = getattr(request, "mous_uid", None)
    return str(mous_uid if mous_uid is not None else request.request_id)


def _span_of(event_id: object) -> str:
    """Name the W3C span of an event; a digest will do for an id that is refused later."""
    return uuid5(_NAMESPACE, str(event_id)).hex[:16]


def _child_traceparent(parent: str, event_id: UUID) -> str:
    version, trace, _, flags = parent.split("-")
    return "-".join((version, trace, _span_of(event_id), flags))
