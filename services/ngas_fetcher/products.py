"""The calibration products of a MOUS: which a block needs, where they are, and once each."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Protocol, TypeVar

import structlog

from contracts.identifiers import ExecBlockUid, MousUid
from contracts.messages.parts import CalibrationKind, MousStructure, NamedRef, ObjectRef, ProductFile, ProductKind
from contracts.reasons import ReasonCode
from services.ngas_fetcher.claims import Claims
from services.ngas_fetcher.client import NgasClient
from services.ngas_fetcher.errors import NgasAwayError, NgasFileMissingError, NgasRefusedError
from services.ngas_fetcher.fetcher import FileFetcher
from services.ngas_fetcher.holding import fetch_job
from services.ngas_fetcher.location import ArchiveFile
from services.ngas_fetcher.patience import Patience
from services.ngas_fetcher.pool import Job
from services.ngas_fetcher.stop import Stop
from shared import keys
from shared.errors import BlockFailedError
from shared.pipeline_files.names import is_bare_file_name

log = structlog.get_logger()
T = TypeVar("T")


class Run(Protocol):
    """Runs jobs side by side."""

    def __call__(self, jobs: Sequence[Job[T]], /) -> list[T]:
        """Run them and give their results in order."""


_OF_THE_MOUS = (ProductKind.MANIFEST, ProductKind.PPREQUEST, ProductKind.RESTORE_SCRIPT)
_OF_THE_BLOCK = (ProductKind.FLAGVERSIONS, ProductKind.CALAPPLY)
_BY_HAND = (ProductKind.SCRIPT_FOR_PI, ProductKind.AUX_PRODUCTS)


def needed_products(structure: MousStructure, eb_uid: ExecBlockUid) -> tuple[ProductFile, ...]:
    """Choose the products that a block's restore needs.

    Manifest, processing request and restore script of the MOUS; caltables of the
    block's session (or of no named session, where there was only one); the block's
    own flag versions and calapply file. Where people calibrated, also scriptForPI,
    the scripts of the block and of the MOUS, and what these need.
    """
    session = structure.session_of(eb_uid)
    by_hand = structure.calibration is not CalibrationKind.PIPELINE

    def is_needed(product: ProductFile) -> bool:
        if product.kind in _OF_THE_MOUS:
            return True
        if product.kind is ProductKind.CALTABLES:
            return product.session in (None, session)
        if product.kind is ProductKind.CALIBRATION_SCRIPT:
            return by_hand and product.eb_uid in (None, eb_uid)
        if product.kind in _BY_HAND:
            return by_hand
        return product.kind in _OF_THE_BLOCK and product.eb_uid == eb_uid

    return tuple(product for product in structure.products if is_needed(product))


class ProductLocator:
    """Finds products on the configured servers by their file id.

    Parameters
    ----------
    client
        Speaks to the servers.
    hosts
        The servers, in order of preference.
    patience
        When a server that is away is asked again.
    """

    def __init__(self, *, client: NgasClient, hosts: Sequence[str], patience: Patience) -> None:
        self._client = client
        self._hosts = tuple(hosts)
        self._patience = patience

    @property
    def first(self) -> str | None:
        """The server that is asked first, if there is any."""
        return self._hosts[0] if self._hosts else None

    def locate(self, file_id: str, *, stop: Stop) -> ArchiveFile:
        """Pin the newest version that the first server that has the file knows; the others are its replicas.

        Raises
        ------
        BlockFailedError
            If no server has it.
        NgasAwayError, NgasRefusedError
            If a server that may have it is away or does not let us.
        """
        hopes: list[NgasAwayError | NgasRefusedError] = []
        for host in self._hosts:
            try:
                record = self._patience.retrying(stop)(self._client.record, host, file_id, stop=stop)
            except NgasFileMissingError:
                continue
            except (NgasAwayError, NgasRefusedError) as error:
                hopes.append(error)
                continue
            return ArchiveFile(
                path=file_id,
                file_id=file_id,
                version=record.version,
                size=record.size,
                checksum=record.checksum,
                servers=(host, *(other for other in self._hosts if other != host)),
            )
        if hopes:
            raise hopes[0]
        raise BlockFailedError(ReasonCode.FILE_NOT_IN_ARCHIVE, f"{file_id}: not on {', '.join(self._hosts)}")


@dataclass(frozen=True, kw_only=True)
class _Pinned:
    """The version of a product that is wanted, its key, and its reference if it is in the store."""

    file: ArchiveFile
    key: str
    ref: ObjectRef | None


@dataclass(frozen=True, kw_only=True)
class _Brought:
    """Where a product is now, and whether it had to be fetched for that."""

    ref: ObjectRef
    fetched: bool


@dataclass(frozen=True, kw_only=True)
class Shelved:
    """Products in the store, and whether one of them had to be fetched for this."""

    refs: tuple[NamedRef, ...]
    fetched: bool


class ProductShelf:
    """The products of one MOUS while one request is handled: each is located and fetched once.

    Who fetches claims the MOUS's products, so that of several requests for it one fetches. Of
    the request's own blocks one is served at a time: most of what the next needs is there then.

    Parameters
    ----------
    mous_uid
        The MOUS.
    locator
        Finds products.
    fetcher
        Fetches them.
    claims
        So that one fetcher brings them.
    """

    def __init__(self, *, mous_uid: MousUid, locator: ProductLocator, fetcher: FileFetcher, claims: Claims) -> None:
        self._mous_uid = mous_uid
        self._locator = locator
        self._fetcher = fetcher
        self._claims = claims
        self._stored: dict[str, NamedRef] = {}
        self._failed: dict[str, BlockFailedError] = {}
        self._lock = Lock()

    def stage(self, products: Sequence[ProductFile], stop: Stop, run: Run) -> Shelved:
        """Bring these products, no two of which are the same, into the store.

        Parameters
        ----------
        products
            Which.
        stop
            Ends it.
        run
            Runs jobs and gives their results in order.

        Raises
        ------
        BlockFailedError, NgasAwayError, NgasRefusedError
            As `ProductLocator.locate` and `FileFetcher.fetch` do.
        LeaseHeldError
            If another fetches products of this MOUS now: look again later.
        """
        with self._lock:
            stop.check()
            return self._stage(products, stop, run)

    def _stage(self, products: Sequence[ProductFile], stop: Stop, run: Run) -> Shelved:
        wanted = [product for product in products if product.file_id not in self._stored]
        host = self._locator.first
        pinned = run([Job(work=partial(self._pin, product, stop), host=host) for product in wanted])
        lacking = [one for one in pinned if one.ref is None]
        refs, brought = {one.file.file_id: one.ref for one in pinned if one.ref is not None}, list[_Brought]()
        if lacking:
            with self._claims.held(f"calibration/{self._mous_uid.file_form}"):
                brought = run([fetch_job(one.file, partial(self._bring, one, stop)) for one in lacking])
            refs |= {one.file.file_id: new.ref for one, new in zip(lacking, brought, strict=True)}
        self._stored |= {file_id: NamedRef(name=file_id, ref=ref) for file_id, ref in refs.items()}
        return Shelved(
            refs=tuple(self._stored[product.file_id] for product in products),
            fetched=any(new.fetched for new in brought),
        )

    def _pin(self, product: ProductFile, stop: Stop) -> _Pinned:
        stop.check()
        if product.file_id in self._failed:
            raise self._failed[product.file_id]
        try:
            file = self._located(product, stop)
        except BlockFailedError as error:
            self._failed[product.file_id] = error
            raise
        checksum = str(file.checksum).replace(":", "-").lower()
        key = keys.calibration_file(self._mous_uid, file.file_id, file.version, checksum)
        return _Pinned(file=file, key=key, ref=self._fetcher.stored(file, key))

    def _located(self, product: ProductFile, stop: Stop) -> ArchiveFile:
        if not is_bare_file_name(product.file_id):
            raise BlockFailedError(
                ReasonCode.FILE_NOT_IN_ARCHIVE, f"{product.file_id!r} is listed as a product but is no file name"
            )
        file = self._locator.locate(product.file_id, stop=stop)
        if product.size not in (None, file.size):
            log.warning("product_size_differs", file_id=file.file_id, tables=product.size, ngas=file.size)
        return file

    def _bring(self, product: _Pinned, stop: Stop) -> _Brought:
        stop.check()
        # Who held the claim until now may have just stored it.
        if (stored := self._fetcher.stored(product.file, product.key)) is not None:
            return _Brought(ref=stored, fetched=False)
        try:
            ref = self._fetcher.fetch(product.file, product.key, stop=stop, on_position=lambda _: None)
        except BlockFailedError as error:
            self._failed[product.file.file_id] = error
            raise
        return _Brought(ref=ref, fetched=True)
