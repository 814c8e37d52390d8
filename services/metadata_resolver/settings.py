"""Settings of the metadata resolver."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.archive_db import ArchiveDbSettings


class MetadataResolverSettings(BaseSettings):
    """How the structure of a MOUS is read."""

    model_config = SettingsConfigDict(env_prefix="ALMA_RESTORE_METADATA_RESOLVER_", frozen=True)

    database: ArchiveDbSettings = Field(
        default_factory=ArchiveDbSettings, description="The archive's database; its own variables name it"
    )
    concurrency: int = Field(default=4, ge=1, description="Requests that are resolved at a time")
