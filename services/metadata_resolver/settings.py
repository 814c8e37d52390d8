"""Settings of the metadata resolver."""

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.archive_db import ArchiveDbSettings
from shared.casa_catalogue import CasaCatalogueSettings


class RestorableSettings(BaseSettings):
    """What can be restored at this site; whoever tells that reads it, too."""

    model_config = SettingsConfigDict(env_prefix="ALMA_RESTORE_METADATA_RESOLVER_", frozen=True)

    restore_manual: bool = Field(
        default=False,
        description="Pass on MOUSs that were calibrated by hand and have scripts but no calibration tables; "
        "only with runners that re-run such scripts",
    )


class MetadataResolverSettings(RestorableSettings):
    """How the structure of a MOUS is read."""

    database: ArchiveDbSettings = Field(
        default_factory=ArchiveDbSettings, description="The archive's database; its own variables name it"
    )
    concurrency: int = Field(default=4, ge=1, description="Requests that are resolved at a time")
    catalogue: CasaCatalogueSettings = Field(
        default_factory=CasaCatalogueSettings, description="The table of CASA versions; its own variables name it"
    )
    product_dates_query: str | None = Field(
        default=None,
        description="SQL that gives file id and ingestion date of a MOUS's products, by the bind variable :mous_uid; "
        "of several calibrations the newest is used. None: their age is not known, names decide",
    )

    @field_validator("product_dates_query")
    @classmethod
    def _has_its_bind_variable(cls, query: str | None) -> str | None:
        if query is not None and ":mous_uid" not in query:
            raise ValueError("must select by the bind variable :mous_uid")
        return query
