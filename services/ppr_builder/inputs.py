"""Makes sure that what was staged for an execution block fits together, down to the tables in the tars."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import structlog

from contracts.messages import ArtefactsStaged
from contracts.messages.parts import NamedRef, ObjectRef, ProductKind
from contracts.reasons import ReasonCode
from services.ppr_builder.preflight import check_lacking, check_sessions, find_manifest, has_manifest, select_products
from shared import keys
from shared.errors import BlockFailedError
from shared.objects import IntegrityError, ObjectMissingError, ObjectStore
from shared.pipeline_files import PipelineManifest, read_calapply, read_manifest
from shared.pipeline_files.archives import ArchiveError, Contents, check_caltables, check_flagversions, list_archive
from shared.pipeline_files.manifest_built import build_manifest, built_name, check_age, write_manifest
from shared.pipeline_files.restore_script import RestoreScript, read_restore_script

log = structlog.get_logger()

MAX_TEXT_BYTES = 16 * 2**20
_SCRIPT_SUFFIX = "casa_piperestorescript.py"


@dataclass(frozen=True, kw_only=True)
class CheckedInputs:
    """What a block's restore needs.

    Attributes
    ----------
    manifest
        What the calibration consists of.
    has_own_manifest
        Whether the package has it, or it was built.
    products
        The files under the names by which the manifest knows them, which comes first.
    """

    manifest: PipelineManifest
    has_own_manifest: bool
    products: tuple[NamedRef, ...]


class InputCheck:
    """Compares tables, manifest and staged products before any CASA time is spent.

    Parameters
    ----------
    objects
        Where the products lie.
    """

    def __init__(self, *, objects: ObjectStore) -> None:
        self._objects = objects

    def check(self, staged: ArtefactsStaged) -> CheckedInputs:
        """Return what the restore needs, all of which fits together.

        Raises
        ------
        BlockFailedError
            If something is missing, damaged or contradicts something else.
        DependencyAwayError
            If the object store does not answer.
        """
        listed = any(product.kind is ProductKind.MANIFEST for product in staged.structure.products)
        has_own = listed or has_manifest(staged.products)
        manifest_file = find_manifest(staged.products) if has_own else self._built(staged)
        manifest = read_manifest(self._read(manifest_file, ReasonCode.MANIFEST_UNREADABLE))
        check_sessions(staged.structure, manifest)
        check_lacking(staged.lacking, manifest, staged.eb_uid)
        products = select_products(staged.products, manifest_file, manifest, staged.eb_uid)
        self._check_stored(products)
        self._check_calibration(staged, manifest, {product.name: product for product in products})
        return CheckedInputs(manifest=manifest, has_own_manifest=has_own, products=products)

    def _built(self, staged: ArtefactsStaged) -> NamedRef:
        """Build the manifest that the package lacks, and keep it with the products."""
        structure = staged.structure
        manifest = build_manifest(
            mous_uid=structure.mous_uid,
            names=[product.file_id for product in structure.products],
            script=self._script(staged),
            casa_version=check_age(structure.casa.version if structure.casa else None),
        )
        name = built_name(structure.mous_uid)
        data = write_manifest(manifest)
        key = keys.calibration_file(structure.mous_uid, name, 0, f"sha256-{sha256(data).hexdigest()}")
        ref = self._objects.put_bytes(key, data)
        log.warning(
            "manifest_built",
            manifest=name,
            casa_version=manifest.casa_version,
            sessions=manifest.blocks_by_session,
            consequence="the package has no pipeline manifest; sessions and files are those of its names and scripts",
        )
        return NamedRef(name=name, ref=ref)

    def _script(self, staged: ArtefactsStaged) -> RestoreScript | None:
        found = [product for product in staged.products if product.name.endswith(_SCRIPT_SUFFIX)]
        if len({product.ref.sha256 for product in found}) > 1:
            names = ", ".join(product.name for product in found)
            raise BlockFailedError(ReasonCode.MANIFEST_UNREADABLE, f"several restore scripts were staged: {names}")
        if not found:
            return None
        script = read_restore_script(self._read(found[0], ReasonCode.MANIFEST_UNREADABLE), name=found[0].name)
        if script.other_calls:
            log.warning(
                "restore_script_does_more",
                calls=script.other_calls,
                consequence="these steps are left out; compare the result with what the delivered script gives",
            )
        return script

    def _check_calibration(
        self, staged: ArtefactsStaged, manifest: PipelineManifest, products: dict[str, NamedRef]
    ) -> None:
        """Make sure that the applycal calls can be read, and that the tars hold what they apply and the flags."""
        session, asdm = manifest.find(staged.eb_uid)
        calls = read_calapply(self._read(products[asdm.calapply], ReasonCode.CALAPPLY_INVALID), eb_uid=staged.eb_uid)
        check_caltables(
            session.caltables,
            self._listed(products[session.caltables]),
            calls,
            eb_uid=staged.eb_uid,
            session=staged.structure.session_of(staged.eb_uid),
        )
        check_flagversions(asdm.flagversions, self._listed(products[asdm.flagversions]), eb_uid=staged.eb_uid)

    def _listed(self, product: NamedRef) -> Contents:
        try:
            with self._objects.open(product.ref) as chunks:
                return list_archive(product.name, chunks)
        except (ObjectMissingError, IntegrityError) as error:
            raise ArchiveError(f"{product.name} cannot be read: {error}") from error

    def _read(self, product: NamedRef, reason: ReasonCode) -> bytes:
        if product.ref.size > MAX_TEXT_BYTES:
            raise BlockFailedError(reason, f"{product.name} has {product.ref.size} bytes, which no such file has")
        try:
            return self._objects.read(product.ref)
        except (ObjectMissingError, IntegrityError) as error:
            raise BlockFailedError(reason, f"{product.name} cannot be read: {error}") from error

    def _check_stored(self, products: Sequence[NamedRef]) -> None:
        lost = [product.name for product in products if not self._is_stored(product.ref)]
        if lost:
            raise BlockFailedError(
                ReasonCode.PRODUCTS_INCOMPLETE, f"not in the object store as they were staged: {', '.join(lost)}"
            )

    def _is_stored(self, ref: ObjectRef) -> bool:
        info = self._objects.info(ref.key)
        return info is not None and info.ref == ref
