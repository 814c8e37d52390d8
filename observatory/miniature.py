"""The whole miniature ALMA: execution blocks, products, NGAS server and metadata database together."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from contracts.identifiers import ExecBlockUid, SessionName
from observatory import metadata, metadata_demo
from observatory.blocks import BlockProgress, BlockSpec, MadeBlock, ensure_blocks
from observatory.by_hand import write_hand_made
from observatory.metadata_entities import DemoMous
from observatory.ngas.faults import Fault
from observatory.ngas.locations import location_report
from observatory.ngas.server import NgasServer
from observatory.products import ProcessingFacts, write_products

RESTORABLE = (metadata_demo.MOUS, metadata_demo.CORRUPTED, metadata_demo.TRUNCATED)
"""The MOUSs whose raw data and calibration lie in the archive."""


class MiniatureAlma:
    """A small observatory on this machine; a context manager that serves it while it is open.

    Parameters
    ----------
    root
        Where archive, products, location reports and database are put; must be empty or missing.
    cache
        Where synthetic execution blocks are kept from one time to the next.
    workers
        How many blocks are made at a time.
    mouss
        The MOUSs to make data for; all of the demo's stand in the database.
    by_hand
        Those of them that people calibrated: scripts are delivered, and no tables.
    on_progress
        Told of every step of making a block.
    ngas
        The archive's server, not yet serving; one of its own on loopback if None.
    """

    def __init__(
        self,
        *,
        root: Path,
        cache: Path,
        workers: int = 2,
        mouss: Sequence[DemoMous] = RESTORABLE,
        by_hand: Sequence[DemoMous] = (),
        on_progress: Callable[[BlockProgress], None] = lambda _: None,
        ngas: NgasServer | None = None,
    ) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._root = root
        self._mouss = mouss
        self._by_hand = by_hand
        specs = [spec for mous in mouss for spec in _specs(mous)]
        made = ensure_blocks(specs, cache=cache, workers=workers, on_progress=on_progress)
        self.blocks: dict[ExecBlockUid, MadeBlock] = {block.spec.eb_uid: block for block in made}
        self.ngas = ngas or NgasServer(root / "ngas")

    @property
    def locations(self) -> Path:
        """Directory of location reports, one ``<EB>.json`` per execution block."""
        return self._root / "locations"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the metadata database."""
        return metadata.sqlite_url(self._root / "archive.db")

    def __enter__(self) -> Self:
        self.ngas.start()
        products = {mous.uid: self._archive(mous) for mous in self._mouss}
        engine = metadata.create_tables(self._root / "archive.db")
        metadata.fill(engine, accounts=metadata_demo.ACCOUNTS, mouss=metadata_demo.MOUSS, product_files=products)
        engine.dispose()
        self._damage(metadata_demo.CORRUPTED, lambda size: Fault(corrupt_at=size // 2))
        self._damage(metadata_demo.TRUNCATED, lambda size: Fault(truncate_to=size // 2))
        return self

    def __exit__(self, *error: object) -> None:
        self.ngas.stop()

    def _archive(self, mous: DemoMous) -> list[tuple[str, int]]:
        """Put a MOUS's blocks and products into NGAS; returns names and sizes of the products."""
        sessions = {name: tuple(spec.eb_uid for spec in specs) for name, specs in _sessions(mous)}
        blocks = [self.blocks[eb_uid] for ebs in sessions.values() for eb_uid in ebs]
        into = self._root / "products" / mous.uid.file_form
        if mous in self._by_hand:
            files = write_hand_made(mous.uid, blocks, into=into).files
        else:
            files = write_products(mous.uid, sessions, blocks, into=into, facts=_facts(mous)).files
        for path in files:
            self.ngas.archive(path, path.name)
        for number, block in enumerate(blocks):
            # Old archives recorded checksums as signed numbers, newer ones did not: here are both.
            location_report(block.asdm, block.spec.eb_uid, self.ngas, write_to=self.locations, signed=number % 2 == 0)
        return [(path.name, path.stat().st_size) for path in files]

    def _damage(self, mous: DemoMous, fault_of: Callable[[int], Fault]) -> None:
        """Let the archive serve the largest binary file of a MOUS's first block with a fault."""
        if mous not in self._mouss:
            return
        report = json.loads((self.locations / f"{_specs(mous)[0].eb_uid.file_form}.json").read_text())
        binaries = [file for file in report["files"] if file["subdirectory"] == "ASDMBinary"]
        largest = max(binaries, key=lambda file: int(file["size"]))
        self.ngas.faults.set(fault_of(int(largest["size"])), file_id=largest["ngas_file_id"])


def _sessions(mous: DemoMous) -> list[tuple[SessionName, list[BlockSpec]]]:
    return [
        (
            SessionName.numbered(number),
            [
                BlockSpec(eb_uid=block.uid, mous_uid=mous.uid, session=SessionName.numbered(number))
                for block in session.blocks
            ],
        )
        for number, session in enumerate(mous.sessions, start=1)
    ]


def _specs(mous: DemoMous) -> list[BlockSpec]:
    return [spec for _, specs in _sessions(mous) for spec in specs]


def _facts(mous: DemoMous) -> ProcessingFacts:
    return ProcessingFacts(
        project_code=mous.project.code,
        project_uid=mous.project.obs_project_uid,
        project_status_uid=mous.project.project_status_uid,
        sous_uid=mous.sgous_uid,
        gous_uid=mous.gous_uid,
        sched_block_uid=mous.sched_block_uid,
        sb_status_uid=mous.sb_status_uid,
    )
