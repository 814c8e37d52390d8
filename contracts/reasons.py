"""Reason codes: why a request was refused, withheld or failed, for its user and for the operator."""

from dataclasses import dataclass
from enum import StrEnum


class ReasonCode(StrEnum):
    """Why a request did not end in a delivery. Codes are stable; texts may improve."""

    CYCLE_0 = "cycle_0"
    INVALID_MOUS_UID = "invalid_mous_uid"
    MOUS_OF_OTHER_PROJECT = "mous_of_other_project"
    UNKNOWN_USER = "unknown_user"
    NOT_ENTITLED = "not_entitled"
    MOUS_NOT_DELIVERED = "mous_not_delivered"
    QA3_IN_PROGRESS = "qa3_in_progress"
    NO_QA0_PASS = "no_qa0_pass"  # noqa: S105  # a verdict of QA0
    NOT_RESTORABLE_YET = "not_restorable_yet"
    ALREADY_ACTIVE = "already_active"
    TOO_MANY_MOUS = "too_many_mous"
    FILE_NOT_IN_ARCHIVE = "file_not_in_archive"
    CHECKSUM_MISMATCH = "checksum_mismatch"
    SIZE_MISMATCH = "size_mismatch"
    ASDM_INCOMPLETE = "asdm_incomplete"
    MANIFEST_UNREADABLE = "manifest_unreadable"
    SESSIONS_DISAGREE = "sessions_disagree"
    PRODUCTS_INCOMPLETE = "products_incomplete"
    CALAPPLY_INVALID = "calapply_invalid"
    PPR_INVALID = "ppr_invalid"
    FIELD_NOT_FOUND = "field_not_found"
    FIELD_IS_SCIENCE = "field_is_science"
    CASA_VERSION_UNAVAILABLE = "casa_version_unavailable"
    PIPELINE_NEEDED = "pipeline_needed"
    PIPELINE_FAILED = "pipeline_failed"
    SCRIPT_FAILED = "script_failed"
    CALIBRATED_TOGETHER = "calibrated_together"
    CALIBRATION_UNCLEAR = "calibration_unclear"
    CALTABLE_DAMAGED = "caltable_damaged"
    CASA_FAILED = "casa_failed"
    CASA_CRASHED = "casa_crashed"
    CASA_HUNG = "casa_hung"
    CASA_OUT_OF_MEMORY = "casa_out_of_memory"
    SELECTION_NOT_FOUND = "selection_not_found"
    OUTPUT_INCOMPLETE = "output_incomplete"


@dataclass(frozen=True)
class Reason:
    """The two sentences of a reason code.

    Attributes
    ----------
    title
        The short form that stands above a quoted request, as the procedure words it.
    user
        What the person who asked is told.
    operator
        What the operator is told, and what can be done.
    """

    title: str
    user: str
    operator: str


_DAMAGED = "The archive's copy of part of this data is damaged. The observatory has been told."
_OURS = "The calibrated data could not be produced. The support team has been told and will look into it."

REASONS: dict[ReasonCode, Reason] = {
    ReasonCode.CYCLE_0: Reason(
        "CYCLE 0 DATA",
        "The calibrated data of Cycle 0 projects is in the ALMA archive already; please download it from there.",
        "Cycle 0 project: nothing to restore, the calibrated data was ingested with the project.",
    ),
    ReasonCode.INVALID_MOUS_UID: Reason(
        "INVALID MOUS UID",
        "There is no MOUS with this UID. Please check it and ask again with a new request.",
        "The entitlement query gave zero rows for this MOUS UID.",
    ),
    ReasonCode.MOUS_OF_OTHER_PROJECT: Reason(
        "INVALID MOUS UID",
        "This MOUS belongs to another project than the one named. Please check both and ask again.",
        "The MOUS exists, but under another project code.",
    ),
    ReasonCode.UNKNOWN_USER: Reason(
        "UNKNOWN USER",
        "No ALMA account was found for this user. Please ask from the e-mail address of your ALMA account.",
        "Neither account name nor e-mail address is that of an active ALMA account.",
    ),
    ReasonCode.NOT_ENTITLED: Reason(
        "NOT ENTITLED",
        "You presently do not have access permission for the requested data. "
        "Please wait until the data becomes public.",
        "The data is proprietary, and the user is neither the PI nor a delegee.",
    ),
    ReasonCode.MOUS_NOT_DELIVERED: Reason(
        "MOUS NOT DELIVERED",
        "The data of this MOUS has not been delivered yet. Please ask again once its PI has received it.",
        "The MOUS is not in state Delivered.",
    ),
    ReasonCode.QA3_IN_PROGRESS: Reason(
        "MOUS NOT DELIVERED",
        "A problem was reported with this MOUS and its quality is being assessed again (QA3). "
        "Please ask again once that has ended.",
        "The MOUS is in state QA3InProgress.",
    ),
    ReasonCode.NO_QA0_PASS: Reason(
        "NO QA0_PASS DATA",
        "ALMA cannot offer calibrated data for this MOUS: none of its observations passed quality control.",
        "ERROR: No QA0_PASS data found for this MOUS. Please double-check MOUS UID. If confirmed, "
        "please inform the user that ALMA cannot offer calibrated data for this MOUS.",
    ),
    ReasonCode.NOT_RESTORABLE_YET: Reason(
        "NOT RESTORABLE YET",
        "The archive has no calibration tables of this MOUS: they have not been stored yet, or the data was calibrated "
        "by hand. So it cannot be restored now.",
        "No calibration tables are listed for this MOUS: it can be restored once they are ingested or, if it was "
        "calibrated by hand, where scripts are run again (RESTORE_MANUAL).",
    ),
    ReasonCode.ALREADY_ACTIVE: Reason(
        "DUPLICATE REQUEST",
        "This data is being calibrated already for an earlier request. "
        "Please ask again once that one has ended: the result is then there at once.",
        "An earlier request for the same MOUS and the same selection has not ended, so this one was not started. "
        "Ask again with force to start it all the same.",
    ),
    ReasonCode.TOO_MANY_MOUS: Reason(
        "TOO MANY MOUS UIDS",
        "A ticket can name up to 10 MOUS UIDs. Please ask in several tickets; nothing of this one was started.",
        "The ticket names more than 10 MOUS UIDs and was refused whole.",
    ),
    ReasonCode.FILE_NOT_IN_ARCHIVE: Reason(
        "DATA MISSING", _DAMAGED, "NGAS does not have a file that the archive's tables list."
    ),
    ReasonCode.CHECKSUM_MISMATCH: Reason(
        "DATA DAMAGED",
        _DAMAGED,
        "A file's checksum is not the one that the archive recorded, on every replica.",
    ),
    ReasonCode.SIZE_MISMATCH: Reason(
        "DATA DAMAGED", _DAMAGED, "A file's size is not the one that the archive recorded, on every replica."
    ),
    ReasonCode.ASDM_INCOMPLETE: Reason(
        "DATA DAMAGED", _DAMAGED, "The ASDM lacks tables or binary data that its own tables name."
    ),
    ReasonCode.MANIFEST_UNREADABLE: Reason(
        "CALIBRATION UNUSABLE", _OURS, "The pipeline manifest is missing or cannot be read."
    ),
    ReasonCode.SESSIONS_DISAGREE: Reason(
        "CALIBRATION UNUSABLE",
        _OURS,
        "The sessions of the archive's tables are not those of the pipeline manifest; both lists are shown.",
    ),
    ReasonCode.PRODUCTS_INCOMPLETE: Reason(
        "CALIBRATION UNUSABLE", _OURS, "A calibration product that the manifest names was not staged."
    ),
    ReasonCode.CALAPPLY_INVALID: Reason(
        "CALIBRATION UNUSABLE", _OURS, "The calapply file cannot be read or would calibrate wrongly."
    ),
    ReasonCode.PPR_INVALID: Reason(
        "CALIBRATION UNUSABLE", _OURS, "A processing request for this block would be misread by the pipeline."
    ),
    ReasonCode.FIELD_NOT_FOUND: Reason(
        "FIELD NOT FOUND",
        "A field that you asked for is not in the data. Names are case-sensitive; "
        "the fields of the data are listed below.",
        "A selected field is not among the fields of the execution block.",
    ),
    ReasonCode.FIELD_IS_SCIENCE: Reason(
        "NOT A CALIBRATOR",
        "A field that you asked for as a calibrator was observed as a science target. "
        "Please ask for the calibrators alone, or for the science data if you may have it.",
        "A selected calibrator field has scans with the intent OBSERVE_TARGET: it is not delivered as a calibrator.",
    ),
    ReasonCode.CASA_VERSION_UNAVAILABLE: Reason(
        "CASA VERSION MISSING", _OURS, "No runner has the CASA version that this data needs."
    ),
    ReasonCode.PIPELINE_NEEDED: Reason(
        "PIPELINE MISSING",
        _OURS,
        "This calibration can be restored by the ALMA pipeline alone, and no CASA with a pipeline is set for its "
        "version: give the launcher one (shell).",
    ),
    ReasonCode.PIPELINE_FAILED: Reason(
        "RESTORE FAILED",
        _OURS,
        "The ALMA pipeline ended with an error, or without all that it had to make; its logs are attached and the "
        "working directory kept.",
    ),
    ReasonCode.SCRIPT_FAILED: Reason(
        "RESTORE FAILED",
        _OURS,
        "The delivered calibration script ended with an error, or without its calibrated data; its logs are attached "
        "and the working directory kept.",
    ),
    ReasonCode.CALIBRATED_TOGETHER: Reason(
        "CALIBRATED TOGETHER",
        _OURS,
        "The execution blocks of this MOUS were calibrated together by a delivered script (flux, polarisation), which "
        "a restore block by block cannot do: run scriptForPI by hand.",
    ),
    ReasonCode.CALIBRATION_UNCLEAR: Reason(
        "CALIBRATION UNUSABLE",
        _OURS,
        "The delivery does not say clearly how this execution block was calibrated; what was found is shown.",
    ),
    ReasonCode.CALTABLE_DAMAGED: Reason(
        "CALIBRATION UNUSABLE",
        _OURS,
        "A calibration table is missing from its archive file or cannot be read.",
    ),
    ReasonCode.CASA_FAILED: Reason(
        "RESTORE FAILED",
        _OURS,
        "CASA ended with an error; its log is attached and the working directory kept.",
    ),
    ReasonCode.CASA_CRASHED: Reason(
        "RESTORE FAILED",
        _OURS,
        "CASA was ended by a signal; its log is attached and the working directory kept.",
    ),
    ReasonCode.CASA_HUNG: Reason(
        "RESTORE FAILED",
        _OURS,
        "CASA gave no sign of life for the time that is set, or did not end in time, and was ended; "
        "its log is attached and the working directory kept.",
    ),
    ReasonCode.CASA_OUT_OF_MEMORY: Reason(
        "RESTORE FAILED",
        _OURS,
        "CASA needed more memory than it was given, the second time with the larger limit too; "
        "raise the launcher's memory and ask again.",
    ),
    ReasonCode.SELECTION_NOT_FOUND: Reason(
        "SELECTION NOT FOUND",
        "A part of the data that you asked for does not exist; what there is stands below.",
        "A selected spectral window or averaging does not fit the execution block.",
    ),
    ReasonCode.OUTPUT_INCOMPLETE: Reason(
        "RESTORE FAILED",
        _OURS,
        "CASA ended without an error, but its output lacks rows, columns or tables that the ASDM promises, "
        "cannot be read, or has lost flags or good values.",
    ),
}
