"""The address of a delivery: chosen once per request, and never to be guessed."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared import keys
from shared.objects import ObjectExistsError, ObjectStore

_TOKEN_BYTES = 16
"""128 random bits: nobody finds a delivery by trying addresses."""


class DeliveryRecord(BaseModel):
    """Where a request's delivery is and until when; kept under `shared.keys.delivery`."""

    model_config = ConfigDict(frozen=True)

    token: str = Field(pattern=r"^[0-9a-f]{32}$", description="Name of the delivery's directory")
    address: str = Field(description="What the user is told")
    created: datetime
    expires: datetime


class Addresses:
    """Chooses addresses; of several who choose for one request all get the first one's.

    Parameters
    ----------
    objects
        Holds the records.
    public_url
        Address of the delivery area, without a slash at the end.
    retention
        How long a delivery is kept.
    clock
        Tells the time, UTC.
    new_token
        Makes tokens; a random one each time unless a test needs to know it.
    """

    def __init__(
        self,
        *,
        objects: ObjectStore,
        public_url: str,
        retention: timedelta,
        clock: Callable[[], datetime],
        new_token: Callable[[], str] = lambda: secrets.token_hex(_TOKEN_BYTES),
    ) -> None:
        self._objects = objects
        self._public_url = public_url
        self._retention = retention
        self._clock = clock
        self._new_token = new_token

    def of(self, request_id: UUID) -> DeliveryRecord:
        """Return the request's record, making it at the first time of asking."""
        key = keys.delivery(request_id)
        record = self._new_record()
        try:
            self._objects.create(key, record.model_dump_json().encode())
        except ObjectExistsError:
            return DeliveryRecord.model_validate_json(self._objects.get(key))
        return record

    def find(self, request_id: UUID) -> DeliveryRecord | None:
        """Return the request's record, or None if it has none."""
        key = keys.delivery(request_id)
        return DeliveryRecord.model_validate_json(self._objects.get(key)) if self._objects.info(key) else None

    def _new_record(self) -> DeliveryRecord:
        token, now = self._new_token(), self._clock()
        return DeliveryRecord(
            token=token, address=f"{self._public_url}/{token}", created=now, expires=now + self._retention
        )
