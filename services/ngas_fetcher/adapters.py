"""Make the adapters of the ngas-fetcher from its settings."""

from pathlib import Path

from services.ngas_fetcher.client import NgasClient
from services.ngas_fetcher.direct_copy import DirectCopy
from services.ngas_fetcher.export import ExportCommand
from services.ngas_fetcher.fetcher import FileFetcher
from services.ngas_fetcher.hosts import HostSlots
from services.ngas_fetcher.location import ArchiveFile
from services.ngas_fetcher.locator import LocationReports, Source
from services.ngas_fetcher.metrics import FetchMetrics
from services.ngas_fetcher.patience import Patience
from services.ngas_fetcher.settings import NgasFetcherSettings, SourceKind
from services.ngas_fetcher.stop import Stop
from services.ngas_fetcher.target import Target
from services.ngas_fetcher.transfer import Way


def patience_of(settings: NgasFetcherSettings) -> Patience:
    """Make the patience that the settings ask for."""
    return Patience(
        attempts=settings.attempts,
        backoff=settings.backoff,
        limit=settings.backoff_limit,
        file_seconds=settings.file_seconds,
        slowest=settings.slowest,
    )


def client_of(settings: NgasFetcherSettings) -> NgasClient:
    """Make the client; it is first used when something is asked for."""
    return NgasClient(
        known_hosts=(*settings.hosts, *settings.allowed_hosts),
        credentials=(settings.user, settings.password.get_secret_value()) if settings.user else None,
        connect_timeout=settings.connect_timeout,
        stall_timeout=settings.stall_timeout,
        hosts=HostSlots(limit=settings.transfers_per_host),
    )


def fetcher_of(
    settings: NgasFetcherSettings, client: NgasClient, target: Target, *, metrics: FetchMetrics | None = None
) -> FileFetcher:
    """Make what fetches single files, over HTTP or by direct copy."""
    ways: dict[str, Way] = {}
    if settings.direct_copy_directory is not None:
        copy = DirectCopy(client=client, directory=settings.direct_copy_directory)
        ways = dict.fromkeys(settings.direct_copy_hosts, copy)
    return FileFetcher(way=client, ways=ways, target=target, patience=patience_of(settings), metrics=metrics)


def source_of_asdms(settings: NgasFetcherSettings, fetcher: FileFetcher) -> Source:
    """Make what knows where ASDMs are."""
    match settings.source:
        case SourceKind.REPORTS:
            return LocationReports(
                directory=settings.location_directory or Path(), hosts=settings.hosts, clusters=settings.clusters
            )
        case SourceKind.EXPORT:
            return ExportCommand(
                command=settings.export_command,
                directory=settings.export_directory,
                time_limit=settings.export_time_limit,
            )
        case SourceKind.TABLES:
            # Only here, since a process that is given location reports needs no database client.
            from services.ngas_fetcher.ngas_tables import NgasTables
            from shared.archive_db.database import ArchiveDatabase
            from shared.archive_db.settings import ArchiveDbSettings

            def read(file: ArchiveFile) -> bytes:
                return fetcher.fetch_into(file, b"".join, stop=Stop(), on_position=lambda _: None)

            return NgasTables(
                database=ArchiveDatabase(settings=ArchiveDbSettings()),
                read=read,
                hosts=settings.hosts,
                clusters=settings.clusters,
            )
