"""Who knows where an execution block is: the sources of ASDMs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from contracts.identifiers import ExecBlockUid
from contracts.reasons import ReasonCode
from services.ngas_fetcher.holding import FilesHolding, Holding, on_preferred
from services.ngas_fetcher.location import AsdmLocation
from services.ngas_fetcher.packed import PackedHolding, is_package
from services.ngas_fetcher.report import read_report
from shared.errors import BlockFailedError, DependencyAwayError


class Source(Protocol):
    """Has ASDMs, or knows who has: NGAS's tables, location reports, an export command."""

    def locate(self, eb_uid: ExecBlockUid) -> Holding:
        """Say how the ASDM can be had.

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
    hosts, clusters
        Servers and clusters that are asked before others, in order.
    """

    def __init__(self, *, directory: Path, hosts: Sequence[str] = (), clusters: Sequence[str] = ()) -> None:
        self._directory = directory
        self._hosts = tuple(hosts)
        self._clusters = tuple(clusters)

    def locate(self, eb_uid: ExecBlockUid) -> Holding:
        """Read the block's report; see `Source.locate`."""
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
        location = read_report(eb_uid, data, origin=str(path), clusters=self._clusters)
        return holding_of(location, self._hosts)


def holding_of(location: AsdmLocation, hosts: Sequence[str] = ()) -> Holding:
    """Decide what the files of an execution block are: its files, or one package with all of them.

    Parameters
    ----------
    location
        The files.
    hosts
        Servers that are asked before others, in order.
    """
    preferred = AsdmLocation(eb_uid=location.eb_uid, files=on_preferred(location.files, hosts))
    return PackedHolding(location=preferred) if is_package(preferred) else FilesHolding(location=preferred)
