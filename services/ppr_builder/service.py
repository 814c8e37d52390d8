"""The ppr-builder: when an execution block's inputs are staged, checks them and orders its restore."""

from collections.abc import Sequence
from typing import Any

import structlog

from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import ArtefactsStaged, RestoreOrdered
from contracts.messages.parts import BlockFailure, CalibrationKind, CasaBasis, CasaChoice, NamedRef, Stage
from services.ppr_builder.build import file_name, import_request, restore_request, usable_title
from services.ppr_builder.by_hand import calibration_of, check_hand_made
from services.ppr_builder.inputs import InputCheck
from services.ppr_builder.preflight import recipe_in
from services.ppr_builder.restore_key import restore_key
from services.ppr_builder.settings import PprBuilderSettings
from shared import keys
from shared.bus import Delivery, Subscription
from shared.casa_catalogue import CasaCatalogue, open_catalogue
from shared.errors import BlockFailedError, DependencyAwayError
from shared.objects import ObjectExistsError, ObjectStore
from shared.outcomes import Outcomes
from shared.pipeline_files import PipelineManifest
from shared.pipeline_files.ppr import ProcessingRequest, write_ppr
from shared.service import source_of

log = structlog.get_logger()


class PprBuilder:
    """Answers ``artefacts.staged`` with ``restore.ordered``, or with the reason why the block cannot be restored."""

    def __init__(self, *, objects: ObjectStore, settings: PprBuilderSettings, catalogue: CasaCatalogue) -> None:
        self._objects = objects
        self._settings = settings
        self._catalogue = catalogue
        self._inputs = InputCheck(objects=objects)
        self._source = source_of(self.name)
        self._outcomes = Outcomes(objects=objects, source=self._source)

    @property
    def name(self) -> str:
        """Name of the service and of its queue."""
        return "ppr-builder"

    def subscriptions(self) -> Sequence[Subscription]:
        """Say what the service listens to."""
        return (
            Subscription(
                queue=self.name,
                topics=QUEUES[self.name],
                handler=self.handle,
                concurrency=self._settings.concurrency,
            ),
        )

    def handle(self, event: Event, delivery: Delivery) -> list[Event]:  # noqa: ARG002  # as every handler is called
        """Order the restore of a staged execution block.

        Raises
        ------
        DependencyAwayError
            If the object store does not answer.
        """
        staged = event.data
        if not isinstance(staged, ArtefactsStaged):
            raise TypeError(f"the ppr-builder does not handle {event.type}")
        try:
            order = self._order(event, staged)
        except BlockFailedError as failure:
            return self._refuse(event, staged, failure)
        return [event.derive(order, source=self._source, key=staged.eb_uid)]

    def is_ready(self) -> bool:
        """Whether the service can work: it depends on nothing but bus and store."""
        return True

    def close(self) -> None:
        """Release nothing; the store is the runtime's."""

    def _order(self, event: Event, staged: ArtefactsStaged) -> RestoreOrdered:
        if calibration_of(staged.structure, staged.eb_uid) is CalibrationKind.MANUAL:
            return self._order_by_hand(event, staged)
        inputs = self._inputs.check(staged)
        manifest = inputs.manifest
        ppr = restore_request(
            staged.structure,
            staged.eb_uid,
            casa_version=manifest.casa_version,
            calibrated_by=manifest.procedure or recipe_in(inputs.products[0].name),
            created=event.time,
        )
        return self._ordered(
            staged,
            ppr,
            products=inputs.products,
            casa_version=manifest.casa_version,
            pipeline_version=manifest.pipeline_version,
            casa=self._casa(manifest) if inputs.has_own_manifest else staged.structure.casa,
            calibration=CalibrationKind.PIPELINE,
        )

    def _order_by_hand(self, event: Event, staged: ArtefactsStaged) -> RestoreOrdered:
        made = check_hand_made(staged, self._objects)
        return self._ordered(
            staged,
            import_request(staged.structure, staged.eb_uid, casa_version=made.casa_version, created=event.time),
            products=made.products,
            casa_version=made.casa_version,
            casa=self._casa_of_script(made.casa_version),
            calibration=CalibrationKind.MANUAL,
        )

    def _ordered(
        self, staged: ArtefactsStaged, ppr: ProcessingRequest, *, products: tuple[NamedRef, ...], **versions: Any
    ) -> RestoreOrdered:
        session = staged.structure.session_of(staged.eb_uid)
        key = restore_key(
            eb_uid=staged.eb_uid,
            session=session,
            asdm=staged.asdm,
            products=products,
            selection=staged.request.selection,
            casa_version=versions["casa_version"],
        )
        log.info("restore_ordered", restore_key=key, session=session, casa_version=versions["casa_version"])
        return RestoreOrdered(
            request=staged.request,
            structure=staged.structure,
            eb_uid=staged.eb_uid,
            session=session,
            asdm=staged.asdm,
            products=products,
            ppr=self._written(staged, key, ppr),
            restore_key=key,
            **versions,
        )

    def _casa(self, manifest: PipelineManifest) -> CasaChoice | None:
        """Choose the CASA that the manifest names; none if the version table does not know where it runs."""
        try:
            return self._catalogue.of_manifest(manifest.casa_version, mpi_servers=manifest.mpi_servers)
        except LookupError as error:
            log.warning("casa_not_in_version_table", cause=str(error), consequence="any runner may take the order")
            return None

    def _casa_of_script(self, version: str) -> CasaChoice | None:
        """Choose the CASA that a script names; none if the version table does not know where it runs."""
        try:
            choice = self._catalogue.of_manifest(version)
        except LookupError as error:
            log.warning("casa_not_in_version_table", cause=str(error), consequence="a runner that has it takes it")
            return None
        return choice.model_copy(update={"basis": CasaBasis.SCRIPT})

    def _written(self, staged: ArtefactsStaged, key: str, ppr: ProcessingRequest) -> NamedRef:
        """Store the processing request, or find the one of an earlier request for the same thing."""
        structure = staged.structure
        name = file_name(structure)
        for title in (structure.tree.obs_unit_set_title, structure.tree.sched_block_title):
            if usable_title(title) != title:
                log.warning("title_replaced", title=title, consequence="the pipeline would misread it as a title")
        data = write_ppr(ppr)
        address = keys.ppr(staged.eb_uid, key, name)
        try:
            return NamedRef(name=name, ref=self._objects.create(address, data))
        except ObjectExistsError:
            info = self._objects.info(address)
            if info is None:
                raise DependencyAwayError(f"{address} was removed while it was looked at; trying again") from None
            return NamedRef(name=name, ref=info.ref)

    def _refuse(self, event: Event, staged: ArtefactsStaged, failure: BlockFailedError) -> list[Event]:
        log.warning("restore_not_ordered", reason=failure.reason.value, detail=failure.detail)
        outcome = BlockFailure(eb_uid=staged.eb_uid, stage=Stage.PREPARE, reason=failure.reason, detail=failure.detail)
        return self._outcomes.record(event, staged.request, staged.structure.execution_blocks, outcome)


def build(*, objects: ObjectStore, settings: PprBuilderSettings | None = None) -> PprBuilder:
    """Make the service, with settings from the environment if none are given."""
    settings = settings or PprBuilderSettings()
    return PprBuilder(objects=objects, settings=settings, catalogue=open_catalogue(settings.catalogue))
