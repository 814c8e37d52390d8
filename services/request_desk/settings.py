"""Settings of the request desk."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.request_desk.deliveries.settings import DeliveriesSettings
from services.request_desk.web.settings import WebSettings


class RequestDeskSettings(BaseSettings):
    """Where requests come in, and where people meet them."""

    model_config = SettingsConfigDict(env_prefix="ALMA_RESTORE_REQUEST_DESK_", frozen=True)

    triggers: Path | None = Field(default=None, description="Directory of trigger files; none is watched if unset")
    watching: Literal["auto", "inotify", "polling"] = Field(
        default="auto",
        description="How new files are noticed; auto is inotify where it works. On a network file system only "
        "polling sees what other hosts write",
    )
    scan_seconds: float = Field(default=5.0, gt=0, description="How often the directory is looked through")
    settle_seconds: float = Field(
        default=1.0, ge=0, description="A file is taken when it has not changed for so long, or was closed"
    )
    patience_seconds: float = Field(
        default=60.0, ge=0, description="A file that lacks its end is rejected when it has not changed for so long"
    )
    web: WebSettings = Field(
        default_factory=WebSettings, description="The web server; its own variables say where it listens"
    )
    deliveries: DeliveriesSettings = Field(
        default_factory=DeliveriesSettings, description="The deliveries that it serves; they have own variables, too"
    )
    archive: bool = Field(
        default=False,
        description="Whether the archive's database is read here (ALMA_RESTORE_ARCHIVE_DB_URL): to foretell what a "
        "request would meet, and to ask again when a download begins",
    )
    delivery_column: Literal["DELIVERY_NAME", "DELIVERY_ID"] = Field(
        default="DELIVERY_NAME", description="As ALMA_RESTORE_ENTITLEMENT_CHECKER_DELIVERY_COLUMN"
    )
    delegee_query: str | None = Field(default=None, description="As ALMA_RESTORE_ENTITLEMENT_CHECKER_DELEGEE_QUERY")
    concurrency: int = Field(default=2, ge=1, le=32, description="Events that one process handles at a time")
