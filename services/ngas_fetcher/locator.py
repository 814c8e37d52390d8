"""Who knows where the files of an execution block are."""

from pathlib import Path
from typing import Protocol

from contracts.identifiers import ExecBlockUid
from contracts.reasons import ReasonCode
from services.ngas_fetcher.location import AsdmLocation
from services.ngas_fetcher.report import read_report
from shared.errors import BlockFailedError, DependencyAwayError


class Locator(Protocol):
    """Finds the files of an execution block in the archive."""

    def locate(self, eb_uid: ExecBlockUid) -> AsdmLocation:
        """Say where the files are.

        Raises
        ------
        BlockFailedError
            If the block is not in the archive.
        LocationUnusableError
            If what is known of it cannot be used; a person has to correct it.
        DependencyAwayError
            If this cannot be known right now.
        """


class LocationReports:
    """Reads location reports in NRAO's format from a directory.

    Parameters
    ----------
    directory
        Holds one ``<EB in file form>.json`` per execution block.
    """

    def __init__(self, *, directory: Path) -> None:
        self._directory = directory

    def locate(self, eb_uid: ExecBlockUid) -> AsdmLocation:
        """Read the block's report; see `Locator.locate`."""
        if not self._directory.is_dir():
            raise DependencyAwayError(
                f"The directory of location reports {self._directory} is not there; is it mounted?"
            )
        path = self._directory / f"{eb_uid.file_form}.json"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise BlockFailedError(
                ReasonCode.FILE_NOT_IN_ARCHIVE, f"{eb_uid}: there is no location report {path}"
            ) from None
        except OSError as error:
            raise DependencyAwayError(f"The location report {path} cannot be read now: {error}") from error
        return read_report(eb_uid, data, origin=str(path))
