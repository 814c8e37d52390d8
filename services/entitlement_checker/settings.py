"""Settings of the entitlement checker."""

from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.archive_db import ArchiveDbSettings


class EntitlementCheckerSettings(BaseSettings):
    """How entitlement is asked of the archive's tables."""

    model_config = SettingsConfigDict(env_prefix="ALMA_RESTORE_ENTITLEMENT_CHECKER_", frozen=True)

    database: ArchiveDbSettings = Field(
        default_factory=ArchiveDbSettings, description="The archive's database; its own variables name it"
    )
    delivery_column: Literal["DELIVERY_NAME", "DELIVERY_ID"] = Field(
        default="DELIVERY_NAME", description="Column of ASA_DELIVERY_STATUS that holds <project code>_<MOUS UID>"
    )
    delegee_query: str | None = Field(
        default=None,
        description="SQL whose first column gives the account ids of a project's delegees; must use the bind "
        "variable :project_code. None reads the table PROJECT_DELEGEE",
    )
    active_days: float = Field(
        default=7.0, gt=0, description="After so many days a request counts as stuck and keeps no other one away"
    )
    concurrency: int = Field(default=4, ge=1, description="Requests that are decided at a time")

    @field_validator("delegee_query")
    @classmethod
    def _has_its_bind_variable(cls, query: str | None) -> str | None:
        if query is not None and ":project_code" not in query:
            raise ValueError("must select by the bind variable :project_code")
        return query
