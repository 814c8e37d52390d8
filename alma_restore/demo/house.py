"""The demonstration's own observatory and services, all in one process, below one directory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alma_restore.embedded import Embedded
from observatory.miniature import MiniatureAlma
from services.casa_runner.service import build as build_casa_runner
from services.casa_runner.settings import CasaRunnerSettings
from services.entitlement_checker.service import build as build_entitlement_checker
from services.entitlement_checker.settings import EntitlementCheckerSettings
from services.metadata_resolver.service import build as build_metadata_resolver
from services.metadata_resolver.settings import MetadataResolverSettings
from services.ngas_fetcher.service import build as build_ngas_fetcher
from services.ngas_fetcher.settings import NgasFetcherSettings
from services.notifier.service import build as build_notifier
from services.notifier.settings import DirectoryMailSettings, NotifierSettings
from services.ppr_builder.service import build as build_ppr_builder
from services.ppr_builder.settings import PprBuilderSettings
from shared.archive_db import ArchiveDbSettings
from shared.objects.directory import DirectoryStore
from shared.service import Service

SUPPORT = "support@example.org"
OPERATIONS = "operations@example.org"


class House:
    """Where the demonstration keeps things.

    Parameters
    ----------
    root
        The directory that all is below.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.deliveries = root / "deliveries"
        self.mails = root / "mails"
        self.scratch = root / "scratch"
        self.objects = root / "objects"
        self.observatory = root / "observatory"

    def notifier_settings(self) -> NotifierSettings:
        """Addresses and folders of the notifier."""
        return NotifierSettings(
            deliveries=self.deliveries,
            public_url=self.deliveries.as_uri(),
            mail=DirectoryMailSettings(folder=self.mails),
            sender="alma-restore@example.org",
            no_reply="no-reply@example.org",
            support=SUPPORT,
            operations=OPERATIONS,
            message_id_domain="demo.example.org",
            signature="The team of the miniature ALMA",
        )

    @contextmanager
    def running(self, alma: MiniatureAlma, *, runners: int) -> Iterator[Embedded]:
        """Run all six services on a miniature ALMA."""
        objects = DirectoryStore(root=self.objects)
        database = ArchiveDbSettings.model_validate({"url": alma.database_url})
        ngas = NgasFetcherSettings(hosts=(alma.ngas.address,), location_directory=alma.locations)
        casa = CasaRunnerSettings(scratch=self.scratch, concurrency=runners)
        services: list[Service] = [
            build_entitlement_checker(objects=objects, settings=EntitlementCheckerSettings(database=database)),
            build_metadata_resolver(objects=objects, settings=MetadataResolverSettings(database=database)),
            build_ngas_fetcher(objects=objects, settings=ngas),
            build_ppr_builder(objects=objects, settings=PprBuilderSettings()),
            build_casa_runner(objects=objects, settings=casa),
            build_notifier(objects=objects, settings=self.notifier_settings()),
        ]
        with Embedded(services=services, objects=objects) as embedded:
            yield embedded
