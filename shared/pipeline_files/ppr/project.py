"""The head of a PPR: which project and which Member ObsUnitSet it is about."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.pipeline_files.ppr.rules import PprError, check_characters, check_text, check_uid

_PART_ID = re.compile(r"X[0-9]+", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class ProjectSummary:
    """What stands in ``<ProjectSummary>``; the pipeline reads the first three.

    Attributes
    ----------
    proposal_code
        The project code.
    creation_time
        When the request was made: UTC, whole milliseconds; None where a request does not say it.
    observatory, telescope
        As ALMA's own files have them.
    processing_site, operator, mode, version
        Free texts, which only the VLA's pipeline reads; None where a request lacks one.
    """

    proposal_code: str
    creation_time: datetime | None
    observatory: str = "ALMA Joint Observatory"
    telescope: str = "ALMA"
    processing_site: str | None = "Undefined"
    operator: str | None = "Anonymous"
    mode: str | None = "CSV"
    version: str | None = "Undefined"

    def __post_init__(self) -> None:
        check_text(self.proposal_code, where="ProposalCode")
        check_text(self.observatory, where="Observatory")
        check_text(self.telescope, where="Telescope")
        for name in ("processing_site", "operator", "mode", "version"):
            check_characters(getattr(self, name) or "", where=f"ProjectSummary {name}")
        made = self.creation_time
        if made is not None and (made.utcoffset() != timedelta(0) or made.microsecond % 1000):
            raise PprError("creation_time", f"CreationTime {made} has to be UTC and whole milliseconds")

    @staticmethod
    def moment(time: datetime) -> datetime:
        """Return a time as CreationTime can say it: in UTC, cut to milliseconds."""
        return time.astimezone(UTC).replace(microsecond=time.microsecond // 1000 * 1000)


@dataclass(frozen=True, kw_only=True)
class ProjectStructure:
    """What stands in ``<AlmaStructure>``. The MOUS's UID becomes the beginning of every product's name.

    Attributes
    ----------
    obs_project_uid, obs_unit_set_part_id
        The ObsProject, and the part of it that is the ObsUnitSet.
    project_status_uid
        The status entity of the project.
    mous_uid
        The status entity of the Member ObsUnitSet.
    obs_unit_set_title, obs_unit_set_type
        Its title, and ``Member``.
    """

    obs_project_uid: str
    obs_unit_set_part_id: str
    project_status_uid: str
    mous_uid: str
    obs_unit_set_title: str = "Undefined"
    obs_unit_set_type: str = "Member"

    def __post_init__(self) -> None:
        check_uid(self.obs_project_uid, where="ObsUnitSetRef entityId")
        check_uid(self.project_status_uid, where="ProjectStatusRef entityId")
        check_uid(self.mous_uid, where="OUSStatusRef entityId")
        check_text(self.obs_unit_set_title, where="ObsUnitSetTitle")
        check_text(self.obs_unit_set_type, where="ObsUnitSetType")
        if _PART_ID.fullmatch(self.obs_unit_set_part_id) is None:
            raise PprError(
                "part_id", f"ObsUnitSetRef partId {self.obs_unit_set_part_id!r} has to be X and decimal digits"
            )
