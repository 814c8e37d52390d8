"""The calibration products of a MOUS: which a block needs, where they are, and once each."""

from collections.abc import Callable, Sequence

import structlog

from contracts.identifiers import ExecBlockUid, MousUid
from contracts.messages.parts import CalibrationKind, MousStructure, NamedRef, ProductFile, ProductKind
from contracts.reasons import ReasonCode
from services.ngas_fetcher.client import NgasClient
from services.ngas_fetcher.errors import NgasAwayError, NgasFileMissingError, NgasRefusedError
from services.ngas_fetcher.fetcher import FileFetcher
from services.ngas_fetcher.location import ArchiveFile
from services.ngas_fetcher.patience import Patience
from services.ngas_fetcher.pool import Job
from services.ngas_fetcher.stop import Stop
from shared import keys
from shared.errors import BlockFailedError
from shared.pipeline_files.names import is_bare_file_name

log = structlog.get_logger()

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
                record = self._patience.retrying(stop)(self._client.record, host, file_id)
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


class ProductShelf:
    """The products of one MOUS while one request is handled: each is located and fetched once.

    Parameters
    ----------
    mous_uid
        The MOUS.
    locator
        Finds products.
    fetcher
        Fetches them.
    """

    def __init__(self, *, mous_uid: MousUid, locator: ProductLocator, fetcher: FileFetcher) -> None:
        self._mous_uid = mous_uid
        self._locator = locator
        self._fetcher = fetcher
        self._stored: dict[str, NamedRef] = {}
        self._failed: dict[str, BlockFailedError] = {}
        self.fetched = 0

    def jobs(self, products: Sequence[ProductFile], stop: Stop) -> list[Job[NamedRef]]:
        """Make the jobs that bring these products; no two of them bring the same."""
        return [Job(work=self._job(product, stop)) for product in products]

    def _job(self, product: ProductFile, stop: Stop) -> Callable[[], NamedRef]:
        def bring() -> NamedRef:
            stop.check()
            if product.file_id in self._failed:
                raise self._failed[product.file_id]
            try:
                return self._stored.get(product.file_id) or self._bring(product, stop)
            except BlockFailedError as error:
                self._failed[product.file_id] = error
                raise

        return bring

    def _bring(self, product: ProductFile, stop: Stop) -> NamedRef:
        if not is_bare_file_name(product.file_id):
            raise BlockFailedError(
                ReasonCode.FILE_NOT_IN_ARCHIVE, f"{product.file_id!r} is listed as a product but is no file name"
            )
        file = self._locator.locate(product.file_id, stop=stop)
        if product.size not in (None, file.size):
            log.warning("product_size_differs", file_id=file.file_id, tables=product.size, ngas=file.size)
        checksum = str(file.checksum).replace(":", "-").lower()
        key = keys.calibration_file(self._mous_uid, file.file_id, file.version, checksum)
        ref = self._fetcher.stored(file, key)
        if ref is None:
            ref = self._fetcher.fetch(file, key, stop=stop, on_position=lambda _: None)
            self.fetched += 1
        self._stored[product.file_id] = NamedRef(name=product.file_id, ref=ref)
        return self._stored[product.file_id]
