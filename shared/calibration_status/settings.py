"""Settings of the local record of calibration status."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class CalibrationStatusSettings(BaseSettings):
    """Where the record is and how it is kept current."""

    model_config = SettingsConfigDict(env_prefix="ALMA_RESTORE_CALIBRATION_STATUS_", frozen=True)

    path: Path = Field(
        default=Path("/var/lib/alma-restore/calibration-status.db"), description="SQLite file of the record"
    )
    delivery_column: Literal["DELIVERY_NAME", "DELIVERY_ID"] = Field(
        default="DELIVERY_NAME", description="Column of ASA_DELIVERY_STATUS that holds <project code>_<MOUS UID>"
    )
    page: int = Field(default=500, ge=1, le=1000, description="MOUSs per statement; Oracle takes 1000 at most")
    watch: int = Field(
        default=1000, ge=0, description="MOUSs without calibration that each refresh looks at again, all in turn"
    )
    overlap: int = Field(
        default=1000, ge=0, description="State changes that are read again, since numbers can appear out of order"
    )
    full_every: float = Field(default=86_400.0, gt=0, description="Seconds from one full pass to the next")
