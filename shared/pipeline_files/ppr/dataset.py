"""The data set of a PPR: where the scheduling block's data lies and which execution blocks there are."""

from dataclasses import dataclass

from contracts.identifiers import ExecBlockUid
from shared.pipeline_files.ppr.rules import PprError, check_characters, check_text, check_uid, repeated


@dataclass(frozen=True, kw_only=True)
class AsdmIdentifier:
    """An execution block and the name of its ASDM on disk, by which the pipeline finds its session."""

    exec_block_uid: ExecBlockUid
    disk_name: str

    def __post_init__(self) -> None:
        expected = self.exec_block_uid.file_form
        if self.disk_name != expected:
            raise PprError(
                "asdm_disk_name", f"AsdmDiskName {self.disk_name!r} matches no session: it has to be {expected!r}"
            )

    @classmethod
    def of(cls, eb_uid: ExecBlockUid) -> "AsdmIdentifier":
        """Name an execution block's ASDM as the pipeline wants it."""
        return cls(exec_block_uid=eb_uid, disk_name=eb_uid.file_form)

    @classmethod
    def read(cls, exec_block_uid: str, disk_name: str) -> "AsdmIdentifier":
        """Make one from the texts of a PPR.

        Raises
        ------
        PprError
            With rule ``uid`` or ``asdm_disk_name``.
        """
        check_uid(exec_block_uid, where="ExecBlockId")
        return cls(exec_block_uid=ExecBlockUid(exec_block_uid), disk_name=disk_name)


@dataclass(frozen=True, kw_only=True)
class SchedBlock:
    """What stands in ``<SchedBlockIdentifier>``.

    Attributes
    ----------
    relative_path
        Folder of the MOUS below the pipeline's root; the pipeline adds ``rawdata`` and ``working``.
    sched_block_uid, sb_status_uid, title
        The scheduling block, its status entity and its title, which the pipeline does not read;
        None where a request lacks one.
    asdms
        The execution blocks.
    """

    relative_path: str
    sched_block_uid: str | None
    sb_status_uid: str | None
    asdms: tuple[AsdmIdentifier, ...]
    title: str | None = "Undefined"

    def __post_init__(self) -> None:
        check_text(self.relative_path, where="RelativePath")
        check_characters(self.title or "", where="SBTitle")
        for uid, reference in ((self.sched_block_uid, "SchedBlockRef"), (self.sb_status_uid, "SBStatusRef")):
            if uid is not None:
                check_uid(uid, where=f"{reference} entityId")
        parts = self.relative_path.split("/")
        if any(part in {"", ".", ".."} for part in parts):
            raise PprError(
                "relative_path", f"RelativePath {self.relative_path!r} leaves the pipeline's root or is unclear"
            )
        if not self.asdms:
            raise PprError("no_asdms", "there is no AsdmIdentifier: the pipeline would end at once, and exit with 0")
        if twice := repeated(asdm.exec_block_uid for asdm in self.asdms):
            raise PprError("repeated_asdm", f"listed more than once: {', '.join(twice)}")
