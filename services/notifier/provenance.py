"""What accompanies the data of a delivery: its sums, its README and what these are made from."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.manifests import ProductManifest
from contracts.messages.parts import NamedRef, RestoredBlock, RestoreRequest
from services.notifier.addresses import DeliveryRecord
from services.notifier.texts import render
from shared.deliveries import PROVENANCE, README, SUMS
from shared.errors import RestoreError
from shared.objects import ObjectStore

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*\.tar", re.ASCII)
_SESSION = re.compile(r"\.(session_[1-9][0-9]*)\.")


class UndeliverableFileError(RestoreError):
    """A result's file name cannot be shown: a bug of whoever named it."""

    code = "undeliverable_file"


@dataclass(frozen=True, kw_only=True)
class BlockProvenance:
    """A restored execution block and, if the store has its manifest, what it was made from."""

    block: RestoredBlock
    manifest: ProductManifest | None = None

    @property
    def session(self) -> str | None:
        """The session, as the names of the block's calibration products tell it."""
        names = [product.name for product in self.manifest.products] if self.manifest else []
        found = {match[1] for name in names if (match := _SESSION.search(name))}
        return found.pop() if len(found) == 1 else None

    @property
    def calibration(self) -> list[str]:
        """Names of the products that the calibration was taken from."""
        return sorted(product.name for product in self.manifest.products) if self.manifest else []


def trace_blocks(blocks: Sequence[RestoredBlock], objects: ObjectStore) -> list[BlockProvenance]:
    """Find each block's manifest, which lies beside the folder of the attempt that made its tar."""
    return [BlockProvenance(block=block, manifest=_manifest(block, objects)) for block in blocks]


def _manifest(block: RestoredBlock, objects: ObjectStore) -> ProductManifest | None:
    key = f"{block.tar.key.rsplit('/', 2)[0]}/manifest.json"
    if objects.info(key) is None:
        return None
    return ProductManifest.model_validate_json(objects.get(key))


def files_of(blocks: Sequence[RestoredBlock]) -> list[NamedRef]:
    """Name the files of a delivery.

    Raises
    ------
    UndeliverableFileError
        If two have one name, or a name is unfit for a link and a shell.
    """
    names = [block.file_name for block in blocks]
    if len(set(names)) < len(names) or not all(_FILE_NAME.fullmatch(name) for name in names):
        raise UndeliverableFileError(f"file names must be distinct and like <EB>.ms.split.cal.tar, got {names}")
    return [NamedRef(name=block.file_name, ref=block.tar) for block in blocks]


def write_sums(files: Sequence[NamedRef]) -> str:
    """Write the sums as ``sha256sum --check`` reads them."""
    return "".join(f"{file.ref.sha256}  {file.name}\n" for file in files)


def write_readme(request: RestoreRequest, record: DeliveryRecord, blocks: Sequence[BlockProvenance]) -> str:
    """Write the README: what this is, how to get and check it, and what it was made from."""
    names = [one.block.file_name for one in blocks]
    return render(
        "README.txt.j2",
        request=request,
        record=record,
        blocks=blocks,
        links=[f"{record.address}/{name}" for name in (*names, SUMS, README, PROVENANCE)],
        total=sum(one.block.tar.size for one in blocks),
    )
