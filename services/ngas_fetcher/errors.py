"""What can go wrong between an NGAS server and the object store."""

from contracts.reasons import ReasonCode
from shared.errors import BlockFailedError, DependencyAwayError, MisconfiguredError, RestoreError


class NgasAwayError(DependencyAwayError):
    """An NGAS server is busy, offline, unreachable, or broke a transfer off: the same may work later."""

    code = "ngas_away"


class NgasRefusedError(MisconfiguredError):
    """An NGAS server does not let us, or leads to a host that is not allowed: a person has to look."""

    code = "ngas_refused"


class LocationUnusableError(MisconfiguredError):
    """A location report cannot be read, contradicts itself or names an unsafe path."""

    code = "location_unusable"


class NgasFileMissingError(RestoreError):
    """An NGAS server that is ONLINE does not have the file: another replica may."""

    code = "ngas_file_missing"


class ResumeRefusedError(RestoreError):
    """A server did not go on at the byte asked for: the file has to be fetched from its beginning."""

    code = "resume_refused"
    transient = True


class FetchAbandonedError(RestoreError):
    """The fetch was told to stop: the delivery was lost or another file of the block failed."""

    code = "fetch_abandoned"
    transient = True


class DamagedFileError(BlockFailedError):
    """A server's copy of a file has another size or checksum than the archive recorded."""

    code = "damaged_file"

    @classmethod
    def of_size(cls, file_id: str, server: str, *, expected: int, got: int) -> "DamagedFileError":
        """Say that a copy has the wrong size, in bytes."""
        return cls(ReasonCode.SIZE_MISMATCH, f"{file_id}: expected {expected} bytes, got {got}, from {server}")

    @classmethod
    def of_checksum(cls, file_id: str, server: str, *, expected: object, got: object) -> "DamagedFileError":
        """Say that a copy has the wrong checksum."""
        return cls(ReasonCode.CHECKSUM_MISMATCH, f"{file_id}: expected {expected}, got {got}, from {server}")


class ExportFailedError(DependencyAwayError):
    """The export command failed or took too long: the same may work later."""

    code = "export_failed"


class FolderError(RestoreError):
    """A person's directory cannot be written: full, or not theirs."""

    code = "folder"


class FileExistsAlreadyError(RestoreError):
    """A file is there already and is not what the archive has; nothing is overwritten unasked."""

    code = "file_exists"
