"""Deliveries of a small site in a real object store, with a clock that tests turn."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid, MousUid, ProjectCode
from contracts.manifests import DeliveryManifest, ProductManifest
from contracts.messages import Message
from contracts.messages.parts import NamedRef, ObjectRef, RestoredBlock, RestoreRequest
from services.request_desk.deliveries.desk import StoreDeliveries
from services.request_desk.deliveries.expirer import Expirer
from services.request_desk.deliveries.idle import Work
from services.request_desk.deliveries.opening import retention_of, terms_of
from services.request_desk.deliveries.register import Register
from services.request_desk.deliveries.release import Release, Unchecked
from services.request_desk.deliveries.saying import Voice
from services.request_desk.deliveries.settings import DeliveriesSettings
from services.request_desk.ledger.records import DownloadRecord
from shared import deliveries, keys
from shared.errors import DependencyAwayError
from shared.objects import ObjectStore

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
NAMESPACE = UUID("33333333-3333-4333-8333-333333333333")
ADDRESS = "https://restore.example.org/deliveries"
SETTINGS = DeliveriesSettings(reminder_days=7, retention_days=28, longest_days=100, grace_seconds=7200)


class DeliverySite:
    """A store with products and deliveries, and a desk for them.

    Parameters
    ----------
    objects
        The store.
    """

    def __init__(
        self,
        objects: ObjectStore,
        *,
        settings: DeliveriesSettings = SETTINGS,
        release: Release | None = None,
        area: Path | None = None,
    ) -> None:
        self.objects = objects
        self.settings = settings
        self.now = START
        self.work = Work()
        self.bus_is_away = False
        self.said: list[Event] = []
        self.noted: list[DownloadRecord] = []
        self.nudged: list[str] = []
        self.register = Register(objects=objects, area=area)
        self.voice = Voice(register=self.register)
        self.voice.begin(self.publish)
        self.expirer = self.another_expirer()
        self.desk = StoreDeliveries(
            objects=objects,
            register=self.register,
            release=release or Unchecked(),
            terms=terms_of(settings),
            link=timedelta(seconds=settings.link_seconds) if settings.way == "link" else None,
            clock=lambda: self.now,
            note=self.noted.append,
            nudge=self.nudged.append,
        )

    def another_expirer(self, *, work: Callable[[], Work] | None = None) -> Expirer:
        """Make the expirer of one more desk on the same store."""
        return Expirer(
            objects=self.objects,
            register=self.register,
            voice=self.voice,
            work=work or (lambda: self.work),
            terms=terms_of(self.settings),
            retention=retention_of(self.settings),
            clock=lambda: self.now,
        )

    def publish(self, events: Sequence[Event]) -> None:
        """Take what is said, unless the bus is away."""
        if self.bus_is_away:
            raise DependencyAwayError("no bus")
        self.said += events

    def messages(self) -> list[Message]:
        """Return what was said, each thing once."""
        return [event.data for event in {event.id: event for event in self.said}.values()]

    def later(self, **times: float) -> None:
        """Let time pass."""
        self.now += timedelta(**times)

    def rounds(self, count: int = 1, *, hours: float = 3) -> None:
        """Let the expirer do rounds, with time between them."""
        for _ in range(count):
            self.expirer.run()
            self.later(hours=hours)

    def deliver(self, number: int, products: Iterable[NamedRef], *, days: float = 28) -> DeliveryManifest:
        """Lay a delivery out as the notifier does."""
        request = request_of(number)
        token = uuid5(NAMESPACE, f"token {number}").hex
        address = f"{ADDRESS}/{token}"
        self.objects.put_bytes(keys.delivery(request.request_id), f'{{"token": "{token}"}}'.encode())
        readme = self.objects.put_bytes(deliveries.text(token, deliveries.README), f"Read {address}\n".encode())
        manifest = DeliveryManifest(
            token=token,
            address=address,
            request=request,
            created=self.now,
            expires=self.now + timedelta(days=days),
            files=tuple(products),
            texts=(NamedRef(name=deliveries.README, ref=readme),),
        )
        deliveries.write_manifest(self.objects, manifest)
        return manifest

    def product(self, number: int, data: bytes | None = None, *, name: str | None = None) -> NamedRef:
        """Store a restored execution block with its manifest."""
        eb, restore_key = block_of(number), uuid5(NAMESPACE, f"restore {number}").hex
        folder = keys.product_folder(eb, restore_key)
        name = name or f"{eb.file_form}.ms.split.cal.tar"
        tar = self.objects.put_bytes(f"{folder}attempt-1/{name}", data or f"tar {number} ".encode() * 100)
        ppr = self.objects.put_bytes(keys.ppr(eb, restore_key, "PPR.xml"), b"<SciPipeRequest/>")
        self.objects.put_bytes(f"{folder}manifest.json", _manifest(eb, restore_key, name, tar, ppr).encode())
        return NamedRef(name=name, ref=tar)

    def has(self, file: NamedRef) -> bool:
        """Whether the data of a file are in the store."""
        return self.objects.info(file.ref.key) is not None

    def keys(self, prefix: str = "") -> list[str]:
        """List what lies in the store."""
        return [info.key for info in self.objects.list(prefix)]


def block_of(number: int) -> ExecBlockUid:
    """Name an execution block."""
    return ExecBlockUid(f"uid://A002/Xc7111c/X{number + 0x3979:x}")


def request_of(number: int) -> RestoreRequest:
    """Make a request."""
    return RestoreRequest(
        request_id=uuid5(NAMESPACE, f"request {number}"),
        project_code=ProjectCode("2017.1.00886.L"),
        mous_uid=MousUid("uid://A001/X1284/X265f"),
        user_name="Vera Rubin",
        user_email="vera@example.org",
        user_account="vrubin",
        ticket=str(number),
    )


def _manifest(eb: ExecBlockUid, restore_key: str, name: str, tar: ObjectRef, ppr: ObjectRef) -> str:
    block = RestoredBlock(
        eb_uid=eb, file_name=name, tar=tar, rows=1, fields=("J0510+1800",), casa_version="6.7", method="x", ppr=ppr
    )
    manifest = ProductManifest(
        mous_uid=request_of(0).mous_uid, restore_key=restore_key, block=block, asdm=ppr, products=()
    )
    return manifest.model_dump_json()
