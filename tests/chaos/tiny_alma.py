"""An observatory of many MOUSs whose execution blocks are a few bytes each, for a stand-in CASA.

Of some the binary data are so large that the store takes them in parts.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from contracts.identifiers import EntityUid, ExecBlockUid, MousUid, SessionName
from observatory import metadata, metadata_demo
from observatory.metadata_entities import DemoBlock, DemoMous, DemoSession
from observatory.ngas.faults import Fault
from observatory.ngas.locations import location_report
from observatory.ngas.server import NgasServer
from observatory.products_names import ProductNames
from observatory.products_xml import manifest_xml
from shared.objects.parts import FIRST_PART_BYTES, MIB
from tests.support.casa_standin import FIELDS, write_tgz, write_tiny_asdm

CALIBRATORS = ("J0510+1800",)
_BINARY_BYTES = 20_000
_LARGE_BINARY_BYTES = FIRST_PART_BYTES + MIB
_EVERY_LARGE = 3


def tiny_mous(number: int, *, blocks: int) -> DemoMous:
    """Describe a MOUS of one session per execution block."""
    ebs = [ExecBlockUid(f"uid://A002/Xc{number:04x}/X{block:x}") for block in range(1, blocks + 1)]
    units = [EntityUid(f"uid://A001/Xd{number:04x}/X{unit:x}") for unit in range(2, 6)]
    return replace(
        metadata_demo.MOUS,
        uid=MousUid(f"uid://A001/Xd{number:04x}/X1"),
        gous_uid=units[0],
        sgous_uid=units[1],
        sched_block_uid=units[2],
        sb_status_uid=units[3],
        part_id=f"X{700_000_000 + number}",
        sessions=tuple(DemoSession(blocks=(DemoBlock(uid=eb),)) for eb in ebs),
    )


class TinyAlma:
    """NGAS server and metadata database of tiny MOUSs; a context manager that serves them while it is open.

    Parameters
    ----------
    root
        Where all is put; must be empty or missing.
    mouss
        The MOUSs.
    corrupted
        MOUSs the binary data of whose first block is damaged in the archive.
    uncalibrated
        MOUSs of which the archive has nothing yet.
    """

    def __init__(
        self,
        *,
        root: Path,
        mouss: Sequence[DemoMous],
        corrupted: Sequence[MousUid] = (),
        uncalibrated: Sequence[MousUid] = (),
    ) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._root = root
        self._mouss = mouss
        self._corrupted = corrupted
        self._uncalibrated = uncalibrated
        self.ngas = NgasServer(root / "ngas")

    @property
    def locations(self) -> Path:
        """Directory of location reports."""
        return self._root / "locations"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the metadata database."""
        return metadata.sqlite_url(self._root / "archive.db")

    def __enter__(self) -> Self:
        self.ngas.start()
        products = {mous.uid: self._archive(mous, number) for number, mous in enumerate(self._mouss)}
        engine = metadata.create_tables(self._root / "archive.db")
        metadata.fill(engine, accounts=metadata_demo.ACCOUNTS, mouss=self._mouss, product_files=products)
        engine.dispose()
        return self

    def __exit__(self, *error: object) -> None:
        self.ngas.stop()

    def _archive(self, mous: DemoMous, place: int) -> list[tuple[str, int]]:
        if mous.uid in self._uncalibrated:
            return []
        for number, block in enumerate(mous.blocks):
            asdm = self._root / "asdms" / block.uid.file_form
            is_large = number == 0 and place % _EVERY_LARGE == _EVERY_LARGE - 1
            _write_asdm(asdm, block.uid, size=_LARGE_BINARY_BYTES if is_large else _BINARY_BYTES)
            location_report(asdm, block.uid, self.ngas, write_to=self.locations)
            if mous.uid in self._corrupted and number == 0:
                self._corrupt(block.uid)
        folder = self._root / "products" / mous.uid.file_form
        folder.mkdir(parents=True)
        _write_products(folder, mous)
        for path in folder.iterdir():
            self.ngas.archive(path, path.name)
        return [(path.name, path.stat().st_size) for path in sorted(folder.iterdir())]

    def _corrupt(self, eb_uid: ExecBlockUid) -> None:
        report = json.loads((self.locations / f"{eb_uid.file_form}.json").read_text())
        (binary,) = [file for file in report["files"] if file["subdirectory"] == "ASDMBinary"]
        self.ngas.faults.set(Fault(corrupt_at=_BINARY_BYTES // 2), file_id=binary["ngas_file_id"])


def _write_asdm(folder: Path, eb_uid: ExecBlockUid, *, size: int) -> None:
    binary = ExecBlockUid(f"{eb_uid}00")
    (folder / "ASDMBinary").mkdir(parents=True)
    (folder / "ASDMBinary" / binary.file_form).write_bytes(eb_uid.encode() * (size // len(eb_uid) + 1))
    write_tiny_asdm(folder, binary=binary)


def _write_products(folder: Path, mous: DemoMous) -> None:
    exported = ProductNames(mous_uid=mous.uid, procedure="hifa_calimage", prefix="")
    archived = ProductNames(mous_uid=mous.uid, procedure="hifa_calimage")
    sessions: Mapping[SessionName, list[ExecBlockUid]] = {
        SessionName.numbered(number): [block.uid for block in session.blocks]
        for number, session in enumerate(mous.sessions, start=1)
    }
    manifest = manifest_xml(exported, sessions, casa_version="6.7.0.31", pipeline_version="2025.1.0.35")
    (folder / archived.of_mous("pipeline_manifest.xml")).write_bytes(manifest)
    for session, ebs in sessions.items():
        write_tgz(folder / archived.caltables(session), *(f"{_table(archived.ms(eb))}/table.dat" for eb in ebs))
        for eb_uid in ebs:
            vis = archived.ms(eb_uid)
            write_tgz(folder / archived.flagversions(eb_uid), f"{vis}.flagversions/flags.Pipeline_Final/table.dat")
            (folder / archived.calapply(eb_uid)).write_text("\n".join(_calls(vis)))


def _calls(vis: str) -> list[str]:
    return [f"# Apply file for {vis}"] + [
        f"applycal(vis='{vis}', field='{field}', intent='', spw='', antenna='', gaintable=['{_table(vis)}'], "
        "gainfield=[''], spwmap=[[]], interp=['linear'], calwt=[True])"
        for field in FIELDS
    ]


def _table(vis: str) -> str:
    return f"{vis}.bcal.tbl"
