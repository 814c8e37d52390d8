"""Settings of the ngas-fetcher: which servers, who may be asked, and how patiently."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Servers = Annotated[tuple[str, ...], NoDecode]
"""Servers as ``host:port`` or ``https://host:port``, separated by commas."""


class NgasFetcherSettings(BaseSettings):
    """Settings of the ngas-fetcher; where the archive is has no default."""

    model_config = SettingsConfigDict(env_prefix="ALMA_RESTORE_NGAS_FETCHER_", frozen=True)

    hosts: Servers = Field(
        min_length=1, description="NGAS servers that have the products, in order of preference: host:7777,host2:7777"
    )
    location_directory: Path = Field(description="Directory of location reports, one <EB>.json per execution block")
    allowed_hosts: Servers = Field(
        default=(), description="Further servers that a redirect may lead to and that credentials may go to"
    )
    user: str | None = Field(default=None, description="Account of HTTP Basic; none if unset")
    password: SecretStr = Field(default=SecretStr(""), description="Password of the account; never logged")
    transfers: int = Field(
        default=4, ge=1, le=64, description="Files fetched at a time by one process; below the servers' MaxSimReqs"
    )
    connect_timeout: float = Field(default=10.0, gt=0, description="Seconds to wait for a connection")
    stall_timeout: float = Field(default=60.0, gt=0, description="Seconds without a byte until a transfer is broken")
    attempts: int = Field(default=6, ge=1, description="Tries in a row that may bring no new byte")
    backoff: float = Field(default=0.5, ge=0, description="Longest wait in seconds after the first such try; doubles")
    backoff_limit: float = Field(default=30.0, ge=0, description="Longest wait in seconds after any try")
    progress_interval: float = Field(default=0.5, gt=0, description="Seconds between two words of progress")
    concurrency: int = Field(default=2, ge=1, le=32, description="Requests that one process handles at a time")

    @field_validator("hosts", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
