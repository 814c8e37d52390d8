"""A request desk's web server on loopback with everything real behind it: ledger, store, bus, deliveries."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID, uuid4

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.identifiers import MousUid
from contracts.manifests import DeliveryManifest
from contracts.messages import DeliveryAnnounced, Message, RequestSubmitted
from contracts.messages.parts import DeliveredFile, NamedRef, RestoreRequest, Selection
from services.request_desk.deliveries.base import Deliveries
from services.request_desk.deliveries.opening import open_deliveries
from services.request_desk.deliveries.settings import DeliveriesSettings
from services.request_desk.ledger.migrating import migrate
from services.request_desk.ledger.store import SqlLedger
from services.request_desk.web.app import create_app
from services.request_desk.web.foretelling import Foreteller
from services.request_desk.web.parts import make_parts
from services.request_desk.web.server import WebServer, base_url_of, bind
from services.request_desk.web.settings import OidcSignIn, WebSettings
from shared import deliveries, keys
from shared.bus.memory import MemoryBus
from shared.casa_catalogue.catalogue import CasaCatalogue, read_releases
from shared.entitlement.records import EntitlementRecords
from shared.objects.directory import DirectoryStore
from tests.support.browser import Browser
from tests.support.oidc_provider import AUDIENCE, CLIENT, CLIENT_SECRET, OidcProviderServer, Person

VERA = Person("vrubin", "Vera Rubin", "vera@example.org")
JAN = Person("joort", "Jan Oort", "jan@example.org")
OPERATOR = Person("op", "Olga Operator", "op@example.org", roles=("alma-restore-operator",))
ARCHIVE = Person("service-account-rh", "Request Handler", "rh@example.org", roles=("alma-restore-submitter",))
MOUS = MousUid("uid://A001/X1284/X265f")
TAR = "uid___A002_Xc7111c_X3979.ms.split.cal.tar"


class DeskSite:
    """Runs one desk's web server; a context manager.

    Parameters
    ----------
    root
        Where ledger and store lie.
    settings
        Differ from those of a desk with the miniature provider.
    deliveries, foreteller
        Made with the ledger and the store, if there are to be any.
    """

    def __init__(
        self,
        root: Path,
        *,
        deliveries: Callable[["DeskSite"], Deliveries] | None = None,
        foreteller: Callable[["DeskSite"], Foreteller] | None = None,
        **settings: object,
    ) -> None:
        self.root = root
        self._make_deliveries = deliveries
        self._make_foreteller = foreteller
        self._settings = settings

    def __enter__(self) -> Self:
        self.root.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            self.provider = stack.enter_context(OidcProviderServer())
            url = f"sqlite:///{self.root / 'ledger.db'}"
            migrate(url)
            self.ledger = SqlLedger(url=url)
            stack.callback(self.ledger.close)
            self.objects = DirectoryStore(self.root / "objects")
            stack.callback(self.objects.close)
            self.bus = MemoryBus()
            self.bus.declare(QUEUES)
            stack.callback(self.bus.close)
            self._published: list[Event] = []
            self._serve(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _serve(self, stack: ExitStack) -> None:
        sign_in = OidcSignIn(
            issuer=self.provider.issuer, client_id=CLIENT, client_secret=CLIENT_SECRET, audience=AUDIENCE
        )
        settings = WebSettings(port=0).model_copy(update={"sign_in": sign_in, **self._settings})
        listening = bind(settings)
        self.base_url = base_url_of(settings, listening)
        self.deliveries = self._make_deliveries(self) if self._make_deliveries else None
        parts = make_parts(
            settings=settings,
            base_url=self.base_url,
            ledger=self.ledger,
            objects=self.objects,
            publish=self._publish,
            bus=self.bus,
            deliveries=self.deliveries,
            foreteller=self._make_foreteller(self) if self._make_foreteller else None,
            catalogue=_catalogue(),
        )
        app = create_app(parts=parts)
        server = WebServer(app=app, listening=listening, settings=settings)
        stack.callback(parts.close)
        stack.callback(server.close)
        server.begin()

    def _publish(self, events: Sequence[Event]) -> None:
        self.bus.publish(events)
        self._published += events

    def bus_said(self, kind: type[Message]) -> list[Event]:
        """Return what the web server has published of one kind."""
        return [event for event in self._published if isinstance(event.data, kind)]

    def program(self, person: Person = VERA) -> Browser:
        """Return a program that has somebody's token."""
        return Browser(self.base_url, token=self.provider.token(person))

    def visitor(self) -> Browser:
        """Return a browser that is not signed in."""
        return Browser(self.base_url)

    def browser(self, person: Person = VERA) -> Browser:
        """Return a browser in which somebody has signed in."""
        browser = self.visitor()
        self.provider.person = person
        browser.follow(browser.get("/sign-in?back=/api/v1/me"))
        return browser

    def request(self, person: Person = VERA, **changes: object) -> RestoreRequest:
        """Let the ledger know a request of somebody."""
        asked = RestoreRequest(
            request_id=uuid4(),
            project_code="2017.1.00886.L",
            mous_uid=MOUS,
            user_name=person.name,
            user_email=person.email,
            user_account=person.account,
            ticket="16140",
            selection=Selection(),
        ).model_copy(update=changes)
        self.say(RequestSubmitted(request=asked))
        return asked

    def say(self, *messages: Message) -> Sequence[Event]:
        """Let the ledger hear messages, each said a moment after the one before."""
        events = [Event.first(message, source="/alma-restore/test") for message in messages]
        for event in events:
            self.ledger.record(event)
        return events

    def change_of(self, request_id: UUID) -> int:
        """Return the number of a request's newest change."""
        record = self.ledger.request(request_id)
        assert record is not None
        return record.change


def with_deliveries(site: DeskSite, records: EntitlementRecords | None = None) -> Deliveries:
    """Let a desk serve the deliveries in its store, streamed, without asking the archive unless it is given."""
    settings = DeliveriesSettings(way="stream", expire=False)
    address = f"{site.base_url}/deliveries"
    return open_deliveries(
        objects=site.objects, ledger=site.ledger, records=records, settings=settings, address=address
    ).deliveries


def deliver(
    site: DeskSite, request: RestoreRequest, files: Mapping[str, bytes] | None = None, *, days: float = 28
) -> DeliveryManifest:
    """Lay a delivery out as the notifier does, and say so."""
    token = uuid4().hex
    site.objects.put_bytes(keys.delivery(request.request_id), f'{{"token": "{token}"}}'.encode())
    text = site.objects.put_bytes(deliveries.text(token, deliveries.README), b"read me")
    tars = {
        name: site.objects.put_bytes(f"products/{token}/{name}", data)
        for name, data in (files or {TAR: b"tar"}).items()
    }
    made = DeliveryManifest(
        token=token,
        request=request,
        address=f"{site.base_url}/deliveries/{token}",
        created=later(days=-1),
        expires=later(days=days),
        files=tuple(NamedRef(name=name, ref=ref) for name, ref in tars.items()),
        texts=(NamedRef(name=deliveries.README, ref=text),),
    )
    deliveries.write_manifest(site.objects, made)
    shown = tuple(DeliveredFile(name=name, size=ref.size, sha256=ref.sha256) for name, ref in tars.items())
    site.say(DeliveryAnnounced(request=request, address=made.address, files=shown, expires=made.expires))
    return made


def later(**span: float) -> datetime:
    """Return a moment from now on."""
    return datetime.now(UTC) + timedelta(**span)


def _catalogue() -> CasaCatalogue:
    row = '[[release]]\nfrom="5.1"\nbelow="5.2"\ncasa="5.1.1-5"\nimage="casa-5.1.1"\nbuild="el7"\nsource="a table"\n'
    return CasaCatalogue(read_releases(row, where="the site's table"))
