"""The calibration products of a MOUS in the store: each is located and fetched once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Protocol, TypeVar

import structlog

from contracts.identifiers import MousUid
from contracts.messages.parts import LackingProduct, NamedRef, ObjectRef, ProductFile
from contracts.reasons import ReasonCode
from services.ngas_fetcher.claims import Claims
from services.ngas_fetcher.fetcher import FileFetcher
from services.ngas_fetcher.holding import fetch_job
from services.ngas_fetcher.location import ArchiveFile
from services.ngas_fetcher.pool import Job
from services.ngas_fetcher.products import ProductLocator, only_the_manifest_tells
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
    """Products in the store, those that could be done without, and whether one had to be fetched for this."""

    refs: tuple[NamedRef, ...]
    lacking: tuple[LackingProduct, ...]
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

        Of several of which the manifest tells the one that is needed one has to be there.

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
        rivals = only_the_manifest_tells(products)
        spared = {product.file_id for several in rivals for product in several}
        wanted = [product for product in products if product.file_id not in self._stored]
        host = self._locator.first
        tried = run(
            [
                Job(work=partial(_try, partial(self._pin, product, stop), product.file_id in spared), host=host)
                for product in wanted
            ]
        )
        pinned = [one for one in tried if one is not None]
        absent = [one for one in pinned if one.ref is None]
        refs, brought = {one.file.file_id: one.ref for one in pinned if one.ref is not None}, list[_Brought | None]()
        if absent:
            with self._claims.held(f"calibration/{self._mous_uid.file_form}"):
                brought = run(
                    [
                        fetch_job(one.file, partial(_try, partial(self._bring, one, stop), one.file.file_id in spared))
                        for one in absent
                    ]
                )
            refs |= {one.file.file_id: new.ref for one, new in zip(absent, brought, strict=True) if new is not None}
        self._stored |= {file_id: NamedRef(name=file_id, ref=ref) for file_id, ref in refs.items()}
        for several in rivals:
            self._check_one_of(several)
        return Shelved(
            refs=tuple(self._stored[product.file_id] for product in products if product.file_id in self._stored),
            lacking=tuple(self._lack(product) for product in products if product.file_id not in self._stored),
            fetched=any(new is not None and new.fetched for new in brought),
        )

    def _check_one_of(self, several: Sequence[ProductFile]) -> None:
        if not any(product.file_id in self._stored for product in several):
            raise self._failed[several[0].file_id]

    def _lack(self, product: ProductFile) -> LackingProduct:
        error = self._failed[product.file_id]
        log.warning(
            "product_lacking",
            file_id=product.file_id,
            reason=error.reason,
            detail=error.detail,
            consequence="the block fails later if the manifest lists it; else nobody needs it",
        )
        return LackingProduct(name=product.file_id, reason=error.reason, detail=error.detail)

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


def _try(work: Callable[[], T], may_fail: bool) -> T | None:
    """Do it; None if it failed where it may: the failure was kept."""
    try:
        return work()
    except BlockFailedError:
        if may_fail:
            return None
        raise
