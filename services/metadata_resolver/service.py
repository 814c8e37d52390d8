"""Finds out what an accepted MOUS consists of: tree, sessions, execution blocks, products."""

from collections.abc import Sequence

import structlog

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid
from contracts.messages import RequestAccepted, RequestRefused, StructureResolved
from contracts.messages.parts import BlockFailure, MousStructure, RestoreRequest, Stage
from contracts.reasons import ReasonCode
from services.metadata_resolver.records import ArchiveRecords, StructureRecords
from services.metadata_resolver.resolve import NotRestorable, SessionsDisagree, resolve
from services.metadata_resolver.settings import MetadataResolverSettings
from shared.archive_db import ArchiveDatabase
from shared.bus import Delivery, Subscription
from shared.casa_catalogue import CasaCatalogue, open_catalogue
from shared.not_restorable import NotRestorableYet, RefusedYet
from shared.objects import ObjectStore
from shared.outcomes import Outcomes
from shared.service import source_of

log = structlog.get_logger()


class MetadataResolver:
    """Resolves the structure of MOUSs by what the archive's tables say.

    Parameters
    ----------
    settings
        How many requests are resolved at a time.
    objects
        Where failures of execution blocks are recorded, and requests that come too early.
    records
        Knows what MOUSs consist of.
    catalogue
        Tells which CASA was in operation when.
    """

    def __init__(
        self,
        *,
        settings: MetadataResolverSettings,
        objects: ObjectStore,
        records: StructureRecords,
        catalogue: CasaCatalogue,
    ) -> None:
        self._settings = settings
        self._records = records
        self._catalogue = catalogue
        self._not_restorable = NotRestorableYet(objects=objects)
        self._outcomes = Outcomes(objects=objects, source=source_of(self.name))

    @property
    def name(self) -> str:
        """Name of the service and of its queue."""
        return "metadata-resolver"

    def subscriptions(self) -> Sequence[Subscription]:
        """Listen to accepted requests."""
        topics = (RequestAccepted.topic,)
        return [
            Subscription(queue=self.name, topics=topics, handler=self.handle, concurrency=self._settings.concurrency)
        ]

    def handle(self, event: Event, _delivery: Delivery) -> list[Event]:
        """Resolve the structure of an accepted request's MOUS.

        Raises
        ------
        DependencyAwayError
            If the archive's database does not answer.
        ArchiveInconsistentError, OusStatusError
            If an operator has to look at the tables' content.
        """
        if not isinstance(event.data, RequestAccepted):
            raise TypeError(f"{self.name} does not handle {event.data.type_name()}")
        request = event.data.request
        records = self._records.read(request.mous_uid)
        if not records.status_document:
            log.warning("ous_status_document_missing", consequence="sessions are those of AQUA_V_EXECBLOCK")
        resolution = resolve(request, records, catalogue=self._catalogue, restore_manual=self._settings.restore_manual)
        match resolution:
            case MousStructure() as structure:
                log.info("structure_resolved", **_figures(structure))
                answer = StructureResolved(request=request, structure=structure)
                return [event.derive(answer, source=source_of(self.name))]
            case NotRestorable() as found:
                return [self._refuse(event, request, found)]
            case SessionsDisagree() as fault:
                log.error("sessions_disagree", detail=fault.detail)
                return self._fail(event, request, fault)

    def is_ready(self) -> bool:
        """Whether the archive's database answers."""
        return self._records.is_ready()

    def close(self) -> None:
        """Release the database."""
        self._records.close()

    def _refuse(self, event: Event, request: RestoreRequest, found: NotRestorable) -> Event:
        """Refuse, and remember who can be told once it is possible."""
        if found.reason is ReasonCode.NOT_RESTORABLE_YET:
            self._not_restorable.remember(RefusedYet(request=request, detail=found.detail, since=event.time))
        log.info("mous_not_restorable", reason=found.reason, detail=found.detail)
        refusal = RequestRefused(request=request, reason=found.reason, detail=found.detail)
        return event.derive(refusal, source=source_of(self.name))

    def _fail(self, event: Event, request: RestoreRequest, fault: SessionsDisagree) -> list[Event]:
        """End the request for all its blocks: none can be placed with certainty."""
        answers = [
            answer
            for block in fault.blocks
            for answer in self._outcomes.record(event, request, fault.blocks, _failure(block, fault.detail))
        ]
        # When all were recorded before, each record says the conclusion again.
        return list({answer.id: answer for answer in answers}.values())


def _failure(block: ExecBlockUid, detail: str) -> BlockFailure:
    return BlockFailure(eb_uid=block, stage=Stage.PREPARE, reason=ReasonCode.SESSIONS_DISAGREE, detail=detail)


def _figures(structure: MousStructure) -> dict[str, object]:
    return {
        "sessions": len(structure.sessions),
        "execution_blocks": len(structure.execution_blocks),
        "products": len(structure.products),
        "calibration": structure.calibration,
        "casa": structure.casa and structure.casa.version,
        "notes": structure.notes,
    }


def build(*, objects: ObjectStore, settings: MetadataResolverSettings | None = None) -> MetadataResolver:
    """Make the service and its adapters from settings, or from the environment."""
    settings = settings or MetadataResolverSettings()
    catalogue = open_catalogue(settings.catalogue)
    records = ArchiveRecords(
        database=ArchiveDatabase(settings=settings.database), product_dates_query=settings.product_dates_query
    )
    return MetadataResolver(settings=settings, objects=objects, records=records, catalogue=catalogue)
