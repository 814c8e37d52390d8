"""Settings of the ngas-fetcher: which servers, who may be asked, how much at a time, and how patiently."""

import shlex
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.ngas_fetcher.addresses import is_server
from services.ngas_fetcher.pool import LARGE_TRANSFER

Servers = Annotated[tuple[str, ...], NoDecode]
"""Servers as ``host:port`` or ``https://host:port``, separated by commas."""

Words = Annotated[tuple[str, ...], NoDecode]
"""A program and its arguments, as one writes them in a shell; no shell runs them."""

MIB = 1 << 20


class SourceKind(StrEnum):
    """Who knows where ASDMs are."""

    REPORTS = "reports"
    TABLES = "tables"
    EXPORT = "export"


class NgasFetcherSettings(BaseSettings):
    """Settings of the ngas-fetcher; where the archive is has no default."""

    model_config = SettingsConfigDict(env_prefix="ALMA_RESTORE_NGAS_FETCHER_", frozen=True, hide_input_in_errors=True)

    hosts: Servers = Field(
        min_length=1, description="NGAS servers that have the products, in order of preference: host:7777,host2:7777"
    )
    clusters: Servers = Field(
        default=(), description="NGAS clusters whose replicas are asked before others, in order of preference"
    )
    source: SourceKind = Field(
        default=SourceKind.REPORTS,
        description="Who knows where ASDMs are: reports (in location_directory), tables (NGAS's own, in the "
        "database of ALMA_RESTORE_ARCHIVE_DB_URL), export (a command that writes a whole ASDM)",
    )
    location_directory: Path | None = Field(
        default=None, description="Directory of location reports, one <EB>.json per execution block"
    )
    export_command: Words = Field(
        default=(), description="Command that gets an execution block's UID as last argument: asdmExportLight"
    )
    export_directory: Path = Field(
        default=Path(tempfile.gettempdir()), description="Where exports lie until they are stored"
    )
    export_time_limit: float = Field(default=6 * 3600.0, gt=0, description="Seconds that an export may take")
    direct_copy_hosts: Servers = Field(
        default=(), description="Servers that copy files onto storage shared with us, instead of sending them"
    )
    direct_copy_directory: Path | None = Field(
        default=None, description="Directory on that storage, under the same path here and there"
    )
    allowed_hosts: Servers = Field(
        default=(), description="Further servers that a redirect may lead to and that credentials may go to"
    )
    user: str | None = Field(default=None, description="Account of HTTP Basic; none if unset")
    password: SecretStr = Field(default=SecretStr(""), description="Password of the account; never logged")
    transfers: int = Field(default=8, ge=1, le=64, description="Files fetched at a time by one process")
    transfers_per_host: int = Field(
        default=6, ge=1, le=64, description="Requests at a time to one server; below its MaxSimReqs, for all processes"
    )
    memory: int = Field(
        default=256 * MIB,
        description="Bytes that all transfers of one process together may hold; one large file alone holds 96 MiB",
    )
    connect_timeout: float = Field(default=10.0, gt=0, description="Seconds to wait for a connection")
    stall_timeout: float = Field(default=60.0, gt=0, description="Seconds without a byte until a transfer is broken")
    file_seconds: float = Field(
        default=1800.0, gt=0, description="Seconds that any file may take with all its tries; a large one more"
    )
    slowest: float = Field(
        default=1e6, gt=0, description="Bytes per second that a large file must bring at least, beyond file_seconds"
    )
    attempts: int = Field(default=6, ge=1, description="Tries in a row that may bring no new byte")
    backoff: float = Field(default=0.5, ge=0, description="Longest wait in seconds after the first such try; doubles")
    backoff_limit: float = Field(default=30.0, ge=0, description="Longest wait in seconds after any try")
    progress_interval: float = Field(default=0.5, gt=0, description="Seconds between two words of progress")
    claim_seconds: float = Field(
        default=20.0, gt=0, description="Seconds without a sign of life after which another takes a block over"
    )
    blocks: int = Field(
        default=4, ge=1, le=32, description="Execution blocks of one request that are staged side by side"
    )
    concurrency: int = Field(default=2, ge=1, le=32, description="Requests that one process handles at a time")
    longest: float = Field(
        default=2 * 24 * 3600.0,
        gt=0,
        description="Seconds that staging a MOUS may take; RabbitMQ has to let its event be held for so long",
    )

    @field_validator("hosts", "clusters", "allowed_hosts", "direct_copy_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("hosts", "allowed_hosts", "direct_copy_hosts")
    @classmethod
    def _are_servers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for server in value:
            if not is_server(server):
                raise ValueError(f"{server!r} is no server: host:7777,host2:7777 or https://host:7778 is wanted")
        return value

    @field_validator("memory")
    @classmethod
    def _is_enough_for_one(cls, value: int) -> int:
        if value < LARGE_TRANSFER:
            raise ValueError(f"must be at least {LARGE_TRANSFER}: so many bytes the transfer of one large file holds")
        return value

    @field_validator("export_command", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        return tuple(shlex.split(value)) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_what_its_source_needs(self) -> Self:
        if self.source is SourceKind.REPORTS and self.location_directory is None:
            raise ValueError("location_directory must be set: it holds the location reports")
        if self.source is SourceKind.EXPORT and not self.export_command:
            raise ValueError("export_command must be set, e.g. asdmExportLight")
        if self.direct_copy_hosts and self.direct_copy_directory is None:
            raise ValueError("direct_copy_directory must be set: the servers copy into it")
        return self


class LocalFetchSettings(NgasFetcherSettings):
    """The same settings for a person's command, which takes the servers from a location report if none is named."""

    hosts: Servers = Field(default=(), description="NGAS servers that are preferred, and that redirects may lead to")
