"""Decides which CASA does a job."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from contracts.messages.parts import CasaChoice
from contracts.reasons import ReasonCode
from services.casa_runner.launcher import Needs
from services.casa_runner.launchers.settings import CasaPlace
from shared.casa_catalogue import CasaCatalogue
from shared.errors import BlockFailedError


class Places:
    """The CASAs that a launcher can start.

    Parameters
    ----------
    casa
        For jobs that need no particular version.
    casas
        By version (shell patterns); the first that fits counts.
    builds
        By the operating system that the version table names for a version (shell patterns), for versions that
        ``casas`` does not have; ``{image}``, ``{build}`` and ``{version}`` in their texts are the table's.
    catalogue
        The version table.
    """

    def __init__(
        self,
        *,
        casa: CasaPlace,
        casas: Mapping[str, CasaPlace],
        builds: Mapping[str, CasaPlace],
        catalogue: CasaCatalogue,
    ) -> None:
        self._casa = casa
        self._casas = casas
        self._builds = builds
        self._catalogue = catalogue

    def find(self, needs: Needs) -> CasaPlace:
        """Find the CASA for a job.

        Raises
        ------
        BlockFailedError
            If there is none of the version that is needed (``casa_version_unavailable``).
        """
        version = needs.casa_version
        if version is None:
            return self._casa
        place = _first(self._casas, version)
        return place if place is not None else self._by_build(version)

    def _by_build(self, version: str) -> CasaPlace:
        try:
            choice = self._catalogue.of_manifest(version)
        except LookupError as error:
            raise BlockFailedError(ReasonCode.CASA_VERSION_UNAVAILABLE, str(error)) from error
        place = _first(self._builds, choice.build)
        if place is None:
            raise BlockFailedError(
                ReasonCode.CASA_VERSION_UNAVAILABLE,
                f"CASA {version} is needed, of the build {choice.build}; the launcher has versions "
                f"{', '.join(self._casas) or 'none'} and builds {', '.join(self._builds) or 'none'}",
            )
        return _filled_in(place, choice)


def _first(places: Mapping[str, CasaPlace], name: str) -> CasaPlace | None:
    return next((place for pattern, place in places.items() if fnmatchcase(name, pattern)), None)


def _filled_in(place: CasaPlace, choice: CasaChoice) -> CasaPlace:
    """Put the version table's words into a place's texts."""

    def fill(text: str) -> str:
        for name in ("image", "build", "version"):
            text = text.replace(f"{{{name}}}", getattr(choice, name))
        return text

    return CasaPlace(
        command=tuple(fill(word) for word in place.command),
        shell=None if place.shell is None else tuple(fill(word) for word in place.shell),
        pipeline=place.pipeline,
        image=None if place.image is None else fill(place.image),
        constraint=None if place.constraint is None else fill(place.constraint),
    )
