"""Manifests: JSON objects that are written last, so what has a manifest is whole."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from contracts.identifiers import ExecBlockUid, MousUid
from contracts.messages.parts import Entitlement, NamedRef, ObjectRef, Part, RestoredBlock, RestoreRequest


class StagedFile(Part):
    """A file of an ASDM in the store, and what the archive had recorded of it."""

    path: str = Field(min_length=1, description="Path below the ASDM's directory, e.g. ASDMBinary/uid___A002_X1_X2")
    ref: ObjectRef
    archive_file_id: str
    archive_version: int = Field(ge=1)
    archive_checksum: str | None = Field(default=None, description="As recorded, with its kind: crc32:582543640")


class AsdmManifest(Part):
    """All files of a staged ASDM, in order of their paths."""

    kind: Literal["asdm"] = "asdm"
    eb_uid: ExecBlockUid
    files: tuple[StagedFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.ref.size for file in self.files)


class ProductManifest(Part):
    """A restored execution block with all it was made from: the provenance of a delivery."""

    kind: Literal["product"] = "product"
    mous_uid: MousUid
    restore_key: str
    block: RestoredBlock
    asdm: ObjectRef
    products: tuple[NamedRef, ...]
    log: ObjectRef | None = None


class DeliveryManifest(Part):
    """A delivery: references to what is delivered, under an address that nobody can guess."""

    kind: Literal["delivery"] = "delivery"
    token: str = Field(pattern=r"^[0-9a-f]{32}$", description="The last part of its address")
    address: str
    request: RestoreRequest
    entitlement: Entitlement | None = Field(default=None, description="Why the user may have it, if that was said")
    created: datetime
    expires: datetime = Field(description="As the user was told first; renewals are recorded beside it")
    files: tuple[NamedRef, ...] = Field(description="The products: tars that other deliveries may hold too")
    texts: tuple[NamedRef, ...] = Field(description="README, sums and provenance, of this delivery alone")
