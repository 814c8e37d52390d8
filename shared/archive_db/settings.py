"""Settings of the connection to the archive's metadata database, the same for every service that reads it."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ArchiveDbSettings(BaseSettings):
    """Where the archive's tables are and how long we wait for them."""

    model_config = SettingsConfigDict(env_prefix="ALMA_RESTORE_ARCHIVE_DB_", frozen=True, hide_input_in_errors=True)

    url: SecretStr = Field(
        description="SQLAlchemy URL, e.g. oracle+oracledb://reader@host:1521/?service_name=ALMA "
        "or sqlite:////var/lib/alma/archive.db",
    )
    password: SecretStr | None = Field(default=None, description="Password, if it is not part of the URL")
    schema_owner: str | None = Field(
        default=None, description="Owner of the tables, put before their names; e.g. ALMA. None: the reader's own"
    )
    connect_timeout: float = Field(default=10.0, gt=0, description="Seconds to wait for a connection")
    statement_timeout: float = Field(default=30.0, gt=0, description="Seconds to wait for the answer to a statement")
    pool_size: int = Field(default=4, ge=1, description="Connections that one process holds at most")
    pause_away: float = Field(
        default=1.0, ge=0, description="Seconds without a new try after the database was found away"
    )
    pause_refused: float = Field(
        default=60.0,
        ge=0,
        description="Seconds without a new try after the database refused our login: tries would lock the account",
    )
