"""Settings of the deliveries: how they are handed out, until when they are kept, and what goes with them."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class DeliveriesSettings(BaseSettings):
    """How deliveries are served, renewed and removed."""

    model_config = SettingsConfigDict(env_prefix="ALMA_RESTORE_REQUEST_DESK_DELIVERIES_", frozen=True)

    way: Literal["link", "stream"] = Field(
        default="link",
        description="link: files come from the object store by signed links, if it gives any; stream: always from here",
    )
    link_seconds: int = Field(default=3600, ge=1, le=604_800, description="How long a signed link is good")
    release_seconds: float = Field(
        default=60.0, ge=0, description="How long the archive's word is good that data may still be handed out, seconds"
    )
    release_patience_seconds: float = Field(
        default=3600.0, ge=0, description="How long an earlier yes is good while the archive does not answer, seconds"
    )

    expire: bool = Field(default=True, description="Whether this desk ends deliveries and removes what nobody uses")
    round_seconds: float = Field(default=600.0, gt=0, description="From one round of removing to the next")
    retention_days: float = Field(default=28.0, gt=0, le=3650, description="For how long a renewal keeps a delivery")
    longest_days: float = Field(
        default=365.0, gt=0, description="For how long a delivery can be kept by renewing, from when it was made"
    )
    reminder_days: float = Field(default=7.0, ge=0, description="How long before its end the user is reminded")
    area: Path | None = Field(
        default=None,
        description="Directory in which the notifier lays deliveries out, if it does: .donotremove in one keeps it",
    )

    grace_seconds: float = Field(
        default=7200.0, ge=1, description="Between hiding what nobody uses and removing it; longer than links are good"
    )
    product_days: float = Field(
        default=28.0,
        ge=0,
        description="How long a result is kept for reuse that no delivery uses, since it was used last",
    )
    failed_days: float = Field(default=7.0, ge=0, description="How long results of attempts that failed are kept")
    staged_days: float = Field(
        default=28.0, ge=0, description="How long unused ASDMs, calibration products and PPRs are kept"
    )
    log_days: float = Field(default=365.0, ge=0, description="How long logs of requests that have ended are kept")

    @model_validator(mode="after")
    def _links_end_before_data(self) -> Self:
        if self.way == "link" and self.link_seconds > self.grace_seconds:
            raise ValueError("link_seconds must not exceed grace_seconds: a link would outlive what it leads to")
        return self
