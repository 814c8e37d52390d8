"""Settings of the casa-runner."""

import re
import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.casa_runner.launchers.settings import LauncherSettings, ProcessSettings
from shared.casa_paths import fit_for_casa

Policy = Literal["any", "listed", "same"]
"""Whether the usual CASA may stand in for the one that made a calibration."""
Wanted = Literal["fastest", "reference", "pipeline"]
"""The way in which blocks are restored, if it can be."""


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return pattern


class CasaRunnerSettings(BaseSettings):
    """Where the runner works, and which CASA it has."""

    model_config = SettingsConfigDict(env_prefix="ALMA_RESTORE_CASA_RUNNER_", env_nested_delimiter="__", frozen=True)

    concurrency: int = Field(default=1, ge=1, description="Restores at a time; each takes a core and up to 1 GB")
    scratch: Annotated[Path, AfterValidator(fit_for_casa)] = Field(
        default=Path("/var/tmp/alma-restore"),  # noqa: S108 (files are made in a directory of our own, by exclusive names)
        description="Directory for working directories; local disk (file locks), created if missing",
    )
    python: Path = Field(default=Path(sys.executable), description="Python that can import casatools and casatasks")
    way: Wanted = Field(
        default="fastest",
        description="How blocks are restored: in a single pass where that is possible, always the reference way, or "
        "by the ALMA pipeline where the CASA has it (single dish always is)",
    )
    launcher: LauncherSettings = Field(
        default=ProcessSettings(), description="Where CASA runs: process, container, slurm or kubernetes (its kind)"
    )
    version_policy: Policy = Field(
        default="listed",
        description="Which calibrations the usual CASA may apply where the launcher has none of their version: any, "
        "those of versions that are listed, or of its own only",
    )
    versions: tuple[str, ...] = Field(
        default=("4.[67].*", "5.*", "6.*"),
        description="Versions of CASA whose calibrations this one may apply; shell patterns (policy 'listed')",
    )
    halves_from: int = Field(
        default=500_000_000,
        ge=0,
        description="Bytes of an ASDM from which a single pass works in two processes where a second core is idle",
    )
    disk_factor: float | None = Field(
        default=None,
        ge=0,
        description="Free scratch needed to start, in sizes of the ASDM; none: what the way needs (single pass 3.5, "
        "reference 5.5, pipeline 6, scriptForPI 14)",
    )
    disk_reserve: int = Field(default=200_000_000, ge=0, description="Free scratch needed beyond that, bytes")
    time_limit: float = Field(
        default=172_800.0,
        gt=0,
        description="Longest a restore may take, seconds: its inputs and all its tries; RabbitMQ has to let its order "
        "be held for so long and an hour more, for storing",
    )
    hang_limit: float = Field(
        default=3600.0, gt=0, description="Longest that CASA may give no sign of life (log, files that grow), seconds"
    )
    harmless: tuple[Annotated[str, AfterValidator(_compiles)], ...] = Field(
        default=(),
        description="SEVERE lines of CASA's logs that good restores have here, besides those that are known; "
        "regular expressions",
    )
    lease: float = Field(
        default=60.0,
        gt=0,
        description="Seconds without a sign of life after which another runner takes a restore over",
    )
    more_memory: float = Field(
        default=2.0, ge=1, description="A restore that lacked memory is tried once more with its limit times this"
    )
    failed_quota: int = Field(
        default=100_000_000_000,
        ge=0,
        description="Bytes of scratch that working directories of failed restores may keep: the oldest go first, the "
        "newest stays whatever its size; 0: none is kept",
    )
    unpacked_limit: int = Field(
        default=50_000_000_000, gt=0, description="Most bytes that an archive of tables may unpack to"
    )
    progress_interval: float = Field(default=1.0, ge=0, description="Seconds between two words of progress, at least")
