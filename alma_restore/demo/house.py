"""The demonstration's own observatory and services, all in one process, below one directory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from alma_restore.embedded import Embedded
from observatory.metadata_demo import PI
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
from services.request_desk.deliveries.settings import DeliveriesSettings
from services.request_desk.ledger.settings import LedgerSettings
from services.request_desk.service import RequestDesk
from services.request_desk.service import build as build_request_desk
from services.request_desk.settings import RequestDeskSettings
from services.request_desk.web.settings import LocalSignIn, WebSettings
from shared.archive_db import ArchiveDbSettings
from shared.objects import ObjectStore
from shared.objects.directory import DirectoryStore
from shared.objects.metered import MeteredStore
from shared.service import Service
from shared.trace_export import exported

SUPPORT = "support@example.org"
OPERATIONS = "operations@example.org"


@dataclass(frozen=True)
class DeskDoor:
    """Where the request desk listens on this machine, and the key that opens it."""

    port: int
    key: SecretStr

    @property
    def address(self) -> str:
        """The address that lets its reader in."""
        return f"http://127.0.0.1:{self.port}/sign-in?key={self.key.get_secret_value()}&back=/operations"


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

    def notifier_settings(self, public_url: str | None = None) -> NotifierSettings:
        """Addresses and folders of the notifier; deliveries are found in their folder unless told where else."""
        return NotifierSettings(
            deliveries=self.deliveries,
            public_url=public_url or self.deliveries.as_uri(),
            mail=DirectoryMailSettings(folder=self.mails),
            sender="alma-restore@example.org",
            no_reply="no-reply@example.org",
            support=SUPPORT,
            operations=OPERATIONS,
            message_id_domain="demo.example.org",
            signature="The team of the miniature ALMA",
        )

    def _desk(self, objects: ObjectStore, database: ArchiveDbSettings, desk: DeskDoor) -> RequestDesk:
        """Make the request desk of one person, who is the PI and an operator."""
        door = LocalSignIn(key=desk.key, account=PI.account_id, name=PI.name, email=PI.email)
        web = WebSettings(port=desk.port, sign_in=door)
        deliveries = DeliveriesSettings(way="stream", area=self.deliveries)
        return build_request_desk(
            objects=objects,
            settings=RequestDeskSettings(web=web, deliveries=deliveries, archive=True),
            ledger=LedgerSettings(url=SecretStr(f"sqlite:///{self.root / 'ledger.db'}")),
            archive=database,
        )

    @contextmanager
    def running(self, alma: MiniatureAlma, *, runners: int, desk: DeskDoor | None = None) -> Iterator[Embedded]:
        """Run all services on a miniature ALMA; the request desk only if it is told where its door is."""
        objects = MeteredStore(objects=DirectoryStore(root=self.objects), registry=CollectorRegistry())
        database = ArchiveDbSettings.model_validate({"url": alma.database_url})
        ngas = NgasFetcherSettings(hosts=(alma.ngas.address,), location_directory=alma.locations)
        casa = CasaRunnerSettings(scratch=self.scratch, concurrency=runners)
        desks = [] if desk is None else [self._desk(objects, database, desk)]
        public_url = f"{desks[0].address}/deliveries" if desks else None
        services: list[Service] = [
            *desks,
            build_entitlement_checker(objects=objects, settings=EntitlementCheckerSettings(database=database)),
            build_metadata_resolver(objects=objects, settings=MetadataResolverSettings(database=database)),
            build_ngas_fetcher(objects=objects, settings=ngas),
            build_ppr_builder(objects=objects, settings=PprBuilderSettings()),
            build_casa_runner(objects=objects, settings=casa),
            build_notifier(objects=objects, settings=self.notifier_settings(public_url)),
        ]
        with exported("embedded"), Embedded(services=services, objects=objects) as embedded:
            yield embedded
