"""Look a CASA release up: by the manifest's version, by the date of processing, or by the cycle."""

import tomllib
from collections.abc import Sequence
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from contracts.identifiers import ProjectCode
from contracts.messages.parts import CasaBasis, CasaChoice
from shared.casa_catalogue.settings import CasaCatalogueSettings
from shared.casa_catalogue.version import CasaVersion
from shared.errors import MisconfiguredError

_CYCLES = {
    "2011.0": 0, "2012": 1, "2013": 2, "2015": 3, "2016": 4, "2017": 5, "2018": 6,
    "2019": 7, "2021": 8, "2022": 9, "2023": 10, "2024": 11, "2025": 12,
}  # fmt: skip


def _version(text: Any) -> CasaVersion:
    if not isinstance(text, str):
        raise ValueError(f'a version is a text: write "{text}"')  # noqa: TRY004 - pydantic tells of a ValueError
    return CasaVersion(text)


_Version = Annotated[CasaVersion, BeforeValidator(_version)]


class Release(BaseModel):
    """A row of the version table; its members are described in ``releases.toml``."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    since_version: _Version = Field(alias="from")
    below: _Version
    casa: _Version
    pipeline: str | None = None
    cycles: tuple[int, ...] = ()
    since: date | None = None
    until: date | None = None
    image: str = Field(min_length=1, pattern=r"^\S+$")
    build: str
    note: str | None = None
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> "Release":
        if not self.since_version < self.below:
            raise ValueError(f"from {self.since_version} is not before {self.below}")
        if self.since and self.until and not self.since < self.until:
            raise ValueError(f"since {self.since} is not before {self.until}")
        return self

    def made(self, version: CasaVersion) -> bool:
        """Whether a calibration by this version belongs here."""
        return self.since_version <= version < self.below

    def was_in_operation(self, day: date) -> bool:
        """Whether data was processed with it on a day."""
        return self.since is not None and self.since <= day and (self.until is None or day < self.until)


def read_releases(text: str, *, where: str) -> tuple[Release, ...]:
    """Read rows of the version table.

    Raises
    ------
    MisconfiguredError
        If it is no TOML or a row is wrong; the text says where and what.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MisconfiguredError(f"{where}: no TOML: {error}") from error
    if set(table) != {"release"} or not isinstance(table["release"], list):
        raise MisconfiguredError(
            f"{where}: has to consist of [[release]] rows, and has {', '.join(table) or 'nothing'}"
        )
    return tuple(_release(row, f"{where}: row {number}") for number, row in enumerate(table["release"], start=1))


def _release(row: Any, where: str) -> Release:
    try:
        return Release.model_validate(row)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise MisconfiguredError(f"{where}: {faults}") from error


class CasaCatalogue:
    """The version table.

    Parameters
    ----------
    releases
        Its rows; the first one that fits counts.
    """

    def __init__(self, releases: Sequence[Release]) -> None:
        self.releases = tuple(releases)

    def of_manifest(self, version: str, *, mpi_servers: int | None = None) -> CasaChoice:
        """Choose the CASA that the manifest names: it decides, whatever the table says of dates and cycles.

        Parameters
        ----------
        version
            ``<casaversion>`` of the pipeline manifest.
        mpi_servers
            Number of MPI servers that the calibration ran on, if the manifest tells.

        Raises
        ------
        LookupError
            If no row is for this version; its text is for the operator.
        """
        try:
            wanted = CasaVersion(version)
        except ValueError as error:
            raise LookupError(f"the manifest's CASA version cannot be read: {error}") from error
        for release in self.releases:
            if release.made(wanted):
                choice = _choice(release, CasaBasis.MANIFEST)
                parallel = None if mpi_servers is None else mpi_servers > 0
                return choice.model_copy(update={"version": str(wanted), "parallel": parallel})
        raise LookupError(f"the version table has no row for CASA {wanted}: add one (ALMA_RESTORE_CASA_CATALOGUE_MORE)")

    def expected(self, *, ingested: date | None, observed: date | None, project_code: ProjectCode) -> CasaChoice | None:
        """Choose by what is known before a manifest is read; None if nothing fits.

        Parameters
        ----------
        ingested
            When the calibration products came into the archive, which is soon after their processing.
        observed
            When the last execution block was observed.
        project_code
            Tells the cycle.
        """
        found = (
            (self._in_operation(ingested), CasaBasis.INGESTED),
            (self._in_operation(observed), CasaBasis.OBSERVED),
            (self._of_cycle(project_code), CasaBasis.CYCLE),
        )
        return next((_choice(release, basis) for release, basis in found if release), None)

    def _in_operation(self, day: date | None) -> Release | None:
        if day is None:
            return None
        return next((release for release in self.releases if release.was_in_operation(day)), None)

    def _of_cycle(self, project_code: ProjectCode) -> Release | None:
        year, call, *_ = project_code.split(".")
        cycle = _CYCLES.get(f"{year}.{call}", _CYCLES.get(year))
        # The last one that a cycle was processed with is the most probable.
        return next((release for release in reversed(self.releases) if cycle in release.cycles), None)


def _choice(release: Release, basis: CasaBasis) -> CasaChoice:
    return CasaChoice(
        version=str(release.casa),
        pipeline=release.pipeline,
        image=release.image,
        build=release.build,
        note=release.note,
        basis=basis,
    )


def open_catalogue(settings: CasaCatalogueSettings) -> CasaCatalogue:
    """Read the version table, with the operator's rows first.

    Raises
    ------
    MisconfiguredError
        If the operator's file is missing or wrong.
    """
    own = files(__package__).joinpath("releases.toml").read_text(encoding="utf-8")
    more = () if settings.more is None else read_releases(_text(settings.more), where=str(settings.more))
    return CasaCatalogue([*more, *read_releases(own, where="releases.toml")])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MisconfiguredError(
            f"{path}: cannot be read: {error}; correct ALMA_RESTORE_CASA_CATALOGUE_MORE"
        ) from error
