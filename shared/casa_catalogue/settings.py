"""Settings of the version table."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class CasaCatalogueSettings(BaseSettings):
    """What an operator adds to the version table; the same for every service that reads it."""

    model_config = SettingsConfigDict(env_prefix="ALMA_RESTORE_CASA_CATALOGUE_", frozen=True)

    more: Path | None = Field(
        default=None, description="TOML file with further rows ([[release]]); they go before the built-in ones"
    )
