"""Settings of the ppr-builder, from the environment."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.casa_catalogue import CasaCatalogueSettings


class PprBuilderSettings(BaseSettings):
    """How the ppr-builder works."""

    model_config = SettingsConfigDict(env_prefix="ALMA_RESTORE_PPR_BUILDER_", frozen=True)

    catalogue: CasaCatalogueSettings = Field(
        default_factory=CasaCatalogueSettings, description="The version table; its own variables extend it"
    )
    concurrency: int = Field(default=4, ge=1, description="Execution blocks that one process prepares at a time")
