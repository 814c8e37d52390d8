"""The calibration products of a MOUS: which a block needs, and where they are."""

from collections.abc import Sequence

from contracts.identifiers import ExecBlockUid
from contracts.messages.parts import CalibrationKind, MousStructure, ProductFile, ProductKind
from contracts.reasons import ReasonCode
from services.ngas_fetcher.client import NgasClient
from services.ngas_fetcher.errors import NgasAwayError, NgasFileMissingError, NgasRefusedError
from services.ngas_fetcher.location import ArchiveFile
from services.ngas_fetcher.patience import Patience
from services.ngas_fetcher.stop import Stop
from shared.errors import BlockFailedError

_OF_THE_MOUS = (ProductKind.MANIFEST, ProductKind.PPREQUEST, ProductKind.RESTORE_SCRIPT)
_OF_THE_BLOCK = (ProductKind.FLAGVERSIONS, ProductKind.CALAPPLY)
_LISTED = (ProductKind.CALTABLES, *_OF_THE_BLOCK)
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


def only_the_manifest_tells(products: Sequence[ProductFile]) -> list[list[ProductFile]]:
    """Group the products of a block of which one is needed, and the manifest, once it is read, tells which.

    These are several of one kind that manifests list, beside a manifest: of a calibration
    that was made anew, names may leave open whose they are.
    """
    if not any(product.kind is ProductKind.MANIFEST for product in products):
        return []
    of_a_kind = ([product for product in products if product.kind is kind] for kind in _LISTED)
    return [several for several in of_a_kind if len(several) > 1]


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
