"""What the products of a MOUS are called, by the pipeline's export and then by the archive."""

from dataclasses import dataclass

from contracts.identifiers import ExecBlockUid, MousUid, SessionName

ARCHIVE_PREFIX = "member."


@dataclass(frozen=True, kw_only=True)
class ProductNames:
    """Names of one MOUS's products.

    Attributes
    ----------
    procedure
        The procedure's title, which export puts into the names: ``hifa_calimage``.
    prefix
        ``member.`` for names in the archive, empty for names as exported. The archive
        puts it before what belongs to the MOUS, not before what belongs to a block.
    """

    mous_uid: MousUid
    procedure: str
    prefix: str = ARCHIVE_PREFIX

    def of_mous(self, suffix: str) -> str:
        """Name a product of the whole processing: ``<mous>.<procedure>.<suffix>``."""
        return f"{self.prefix}{self.mous_uid.file_form}.{self.procedure}.{suffix}"

    def caltables(self, session: SessionName) -> str:
        """Name the archive of a session's caltables."""
        return f"{self.prefix}{self.mous_uid.file_form}.{session}.caltables.tgz"

    def ms(self, eb_uid: ExecBlockUid) -> str:
        """Name a block's MeasurementSet."""
        return f"{eb_uid.file_form}.ms"

    def flagversions(self, eb_uid: ExecBlockUid) -> str:
        """Name the archive of a block's final flags."""
        return f"{self.ms(eb_uid)}.flagversions.tgz"

    def calapply(self, eb_uid: ExecBlockUid) -> str:
        """Name a block's calapply file."""
        return f"{self.ms(eb_uid)}.calapply.txt"
