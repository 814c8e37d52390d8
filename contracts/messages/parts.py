"""What messages are made of: the request, the structure of a MOUS, references to artefacts."""

from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from contracts.identifiers import EntityUid, ExecBlockUid, MousUid, ProjectCode, SessionName
from contracts.reasons import ReasonCode

EmailText = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        max_length=254,
        pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f]+$",
    ),
]
"""An e-mail address; only the shape is checked, since only a mail server knows."""

LineText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"),
]
"""One line of text that may stand in a mail's header."""

FieldName = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\s,\x00-\x1f]+$")]
"""A field's name as the data has it; case counts. No commas or spaces."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 digest in lower-case hexadecimal."""


class Part(BaseModel):
    """The base of values inside messages: frozen, unknown members ignored when read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Selection(Part):
    """Which part of the data is asked for; empty is all of it."""

    calibrator_fields: tuple[FieldName, ...] = Field(
        default=(), max_length=100, description="Only these calibrator fields, by exact name"
    )
    science_only: bool | None = Field(default=None, description="Only fields that were observed as targets")
    spw: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(
        default=None, min_length=1, max_length=1000, description="Only these spectral windows, by the data's numbers"
    )
    chanbin: int | None = Field(default=None, ge=2, le=100_000, description="Channels that are averaged into one")
    timebin: float | None = Field(default=None, gt=0, le=86_400, description="Seconds that are averaged into one")

    @model_validator(mode="after")
    def _science_needs_entitlement(self) -> Self:
        """Refuse science beside calibrator fields, since calibrators alone are for everybody."""
        if self.science_only and self.calibrator_fields:
            raise ValueError("science_only and calibrator_fields exclude each other")
        return self

    @property
    def calibrators_only(self) -> bool:
        """Whether only calibrators are asked for, which anybody may have."""
        return bool(self.calibrator_fields)


class RestoreRequest(Part):
    """What somebody asks for. It travels whole, so that no service needs another's memory."""

    request_id: UUID = Field(description="Chosen by the sender; the same id is the same request")
    project_code: ProjectCode = Field(description="Project that the MOUS belongs to, e.g. 2017.1.00886.L")
    mous_uid: MousUid
    user_name: LineText = Field(description="Official user name, as the helpdesk profile has it")
    user_email: EmailText = Field(description="Official e-mail address of the user")
    user_account: LineText | None = Field(default=None, description="ALMA account name, if known")
    ticket: LineText = Field(description="Helpdesk ticket number")
    selection: Selection = Field(default=Selection(), description="Which part of the data; all of it if left out")
    contact_email: EmailText | None = Field(default=None, description="ARC contact who handed the request on")
    cc: tuple[EmailText, ...] = Field(default=(), max_length=20, description="Who gets copies of the mails")
    force: bool = Field(default=False, description="Start although the same MOUS is being restored already")


class RestoreTicket(Part):
    """A helpdesk ticket that asks for the data of several MOUSs, each of which becomes a request of its own."""

    request_id: UUID = Field(description="Chosen by the sender; the ids of its requests are derived from it")
    project_code: ProjectCode = Field(description="Project that the MOUSs belong to, e.g. 2017.1.00886.L")
    mous_uids: tuple[MousUid, ...] = Field(
        min_length=1, max_length=1000, description="Up to 10; a ticket with more is refused whole"
    )
    user_name: LineText = Field(description="Official user name, as the helpdesk profile has it")
    user_email: EmailText = Field(description="Official e-mail address of the user")
    user_account: LineText | None = Field(default=None, description="ALMA account name, if known")
    ticket: LineText = Field(description="Helpdesk ticket number")
    selection: Selection = Field(default=Selection(), description="Which part of the data; all of it if left out")
    contact_email: EmailText | None = Field(default=None, description="ARC contact who handed the ticket on")
    cc: tuple[EmailText, ...] = Field(default=(), max_length=20, description="Who gets copies of the mails")
    force: bool = Field(default=False, description="Start although the same MOUSs are being restored already")


class MailKind(StrEnum):
    """What a mail tells."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    WITHHELD = "withheld"
    FAILED = "failed"
    UNDELIVERED = "undelivered"
    EXPIRING = "expiring"
    RESTORABLE = "restorable"


class Entitlement(StrEnum):
    """Why a user may have the data."""

    PUBLIC = "public"
    PI = "pi"
    DELEGEE = "delegee"
    CALIBRATORS = "calibrators"


class ObjectRef(Part):
    """A reference to an object in the store: what a message carries instead of data."""

    key: str = Field(min_length=1, max_length=1024, description="Its name in the store")
    size: int = Field(ge=0, description="Bytes")
    sha256: Sha256 = Field(description="SHA-256 digest in lower-case hexadecimal")


class NamedRef(Part):
    """A stored file together with the name that it must have on disk."""

    name: str = Field(min_length=1, max_length=255, pattern=r"^[^/\x00]+$", description="The file's name")
    ref: ObjectRef = Field(description="Where it lies")


class LackingProduct(Part):
    """A product that could not be had, of several of which the manifest tells the one that is needed."""

    name: str = Field(min_length=1, max_length=256, description="NGAS file id, which is the file's name")
    reason: ReasonCode = Field(description="What is wrong with it")
    detail: str = Field(description="What was found, for people")


class Session(Part):
    """A session and the QA0-passed execution blocks in it, which may be none."""

    name: SessionName
    execution_blocks: tuple[ExecBlockUid, ...] = Field(default=(), description="In the order of the archive's tables")


class ProjectTree(Part):
    """The entities around a MOUS that a processing request names."""

    obs_project_uid: EntityUid = Field(description="The ObsProject")
    obs_unit_set_part_id: str = Field(pattern=r"^X[0-9]+$", description="Part id of the ObsUnitSet in the ObsProject")
    obs_unit_set_title: str = Field(default="Undefined", description="Title of the ObsUnitSet")
    project_status_uid: EntityUid = Field(description="Its ProjectStatus")
    sgous_uid: EntityUid = Field(description="The Science Goal ObsUnitSet")
    gous_uid: EntityUid = Field(description="The Group ObsUnitSet")
    sched_block_uid: EntityUid = Field(description="The scheduling block")
    sb_status_uid: EntityUid = Field(description="Its status entity")
    sched_block_title: str = Field(default="Undefined", description="Title of the scheduling block")


class ProductKind(StrEnum):
    """What a product file of the pipeline is for."""

    MANIFEST = "manifest"
    CALTABLES = "caltables"
    AUX_CALTABLES = "aux_caltables"
    FLAGVERSIONS = "flagversions"
    CALAPPLY = "calapply"
    PPREQUEST = "pprequest"
    RESTORE_SCRIPT = "restore_script"
    PIPE_SCRIPT = "pipe_script"
    CALIBRATION_SCRIPT = "calibration_script"
    SCRIPT_FOR_PI = "script_for_pi"
    AUX_PRODUCTS = "aux_products"


class ProductFile(Part):
    """A product file of a MOUS, as the archive's tables list it."""

    file_id: str = Field(min_length=1, max_length=256, description="NGAS file id, which is the file's name")
    kind: ProductKind = Field(description="What it is for")
    session: SessionName | None = Field(default=None, description="The session that it belongs to, if to one")
    eb_uid: ExecBlockUid | None = Field(default=None, description="The execution block that it belongs to, if to one")
    size: int | None = Field(default=None, ge=0, description="Bytes, as the archive's tables say")


class CalibrationKind(StrEnum):
    """How a MOUS was calibrated, which decides how it is restored."""

    PIPELINE = "pipeline"
    MANUAL = "manual"
    COMBINED = "combined"


class CasaBasis(StrEnum):
    """What a choice of CASA rests on, the surest first."""

    MANIFEST = "manifest"
    SCRIPT = "script"
    INGESTED = "ingested"
    OBSERVED = "observed"
    CYCLE = "cycle"


class CasaChoice(Part):
    """Which CASA a calibration needs, and where that runs."""

    version: str = Field(
        description="As the manifest or the calibration script has it, else the one that was in operation"
    )
    pipeline: str | None = Field(default=None, description="Release of the pipeline in it; none: CASA alone")
    image: str = Field(description="Name of the runner image that has it")
    build: str = Field(default="", description="Operating system that it was built for, e.g. el7")
    note: str | None = Field(default=None, description="What the user is told, e.g. of an old build")
    basis: CasaBasis = Field(description="What the choice rests on; all but manifest and script is an estimate")
    parallel: bool | None = Field(default=None, description="Whether it ran as MPI CASA, if the manifest tells")


class MousStructure(Part):
    """A MOUS as the archive's tables tell it."""

    mous_uid: MousUid
    project_code: ProjectCode
    tree: ProjectTree = Field(description="The entities around it")
    sessions: tuple[Session, ...] = Field(description="Its sessions, with their execution blocks")
    products: tuple[ProductFile, ...] = Field(description="The product files that a restore may need")
    calibration: CalibrationKind = Field(default=CalibrationKind.PIPELINE, description="How it was calibrated")
    casa: CasaChoice | None = Field(default=None, description="Expected before the manifest is read, which decides")
    notes: tuple[str, ...] = Field(default=(), description="What was chosen among several, for the status")

    @property
    def execution_blocks(self) -> tuple[ExecBlockUid, ...]:
        """All execution blocks in the order of their sessions."""
        return tuple(block for session in self.sessions for block in session.execution_blocks)

    def session_of(self, eb_uid: ExecBlockUid) -> SessionName:
        """Name the session of an execution block.

        Raises
        ------
        KeyError
            If the MOUS has no such execution block.
        """
        for session in self.sessions:
            if eb_uid in session.execution_blocks:
                return session.name
        raise KeyError(eb_uid)


class RestoredBlock(Part):
    """A restored execution block: its tar and where it came from."""

    eb_uid: ExecBlockUid
    file_name: str = Field(description="<EB>.ms.split.cal.tar")
    tar: ObjectRef = Field(description="The tar in the store")
    rows: int = Field(ge=0, description="Rows of the delivered MeasurementSet")
    fields: tuple[str, ...] = Field(description="Names of the fields that it holds")
    casa_version: str = Field(description="CASA that restored it")
    pipeline_version: str | None = Field(default=None, description="Of the calibration, from the manifest")
    method: str = Field(description="Way of restore: single pass, reference, pipeline or scriptForPI")
    casa_note: str | None = Field(default=None, description="What the user is told of that CASA, e.g. of an old build")
    method_reason: str | None = Field(default=None, description="Why this way and not the single pass, and where")
    ppr: ObjectRef = Field(description="The processing request that it was made by")
    reused: bool = Field(default=False, description="An existing result was used, nothing was computed")


class Stage(StrEnum):
    """Where on its way an execution block failed."""

    FETCH = "fetch"
    PREPARE = "prepare"
    RESTORE = "restore"


class BlockFailure(Part):
    """Why an execution block could not be restored."""

    eb_uid: ExecBlockUid
    stage: Stage = Field(description="Where on its way it failed")
    reason: ReasonCode = Field(description="Why; each code has a sentence for the user and one for the operator")
    detail: str = Field(description="What was found, for people")
    log: ObjectRef | None = Field(default=None, description="The whole log, if there is one")
    working_directory: str | None = Field(default=None, description="host:path of what was kept")


class DeliveredFile(Part):
    """A file that waits for its user."""

    name: str = Field(description="The file's name")
    size: int = Field(ge=0, description="Bytes")
    sha256: Sha256 = Field(description="SHA-256 digest in lower-case hexadecimal")
