"""A MOUS of two blocks in two sessions, small ASDMs of it, and its products."""

import random
from pathlib import Path

from contracts.identifiers import ExecBlockUid, SessionName
from contracts.messages.parts import ProductFile, ProductKind, Session
from observatory.ngas import NgasServer, location_report
from tests.support import samples

EBS = (ExecBlockUid("uid://A002/Xc7111c/X3979"), ExecBlockUid("uid://A002/Xc7111c/X86a7"))
_MOUS = "member.uid___A001_X1284_X265f"
PRODUCTS = (
    ProductFile(file_id=f"{_MOUS}.hifa_calimage.pipeline_manifest.xml", kind=ProductKind.MANIFEST),
    ProductFile(file_id=f"{_MOUS}.hifa_calimage.pprequest.xml", kind=ProductKind.PPREQUEST),
    ProductFile(
        file_id=f"{_MOUS}.session_1.caltables.tgz", kind=ProductKind.CALTABLES, session=SessionName("session_1")
    ),
    ProductFile(
        file_id=f"{_MOUS}.session_3.caltables.tgz", kind=ProductKind.CALTABLES, session=SessionName("session_3")
    ),
    *(
        ProductFile(file_id=f"{eb.file_form}.ms.{ending}", kind=kind, eb_uid=eb)
        for eb in EBS
        for ending, kind in (
            ("flagversions.tgz", ProductKind.FLAGVERSIONS),
            ("calapply.txt", ProductKind.CALAPPLY),
        )
    ),
)
STRUCTURE = samples.STRUCTURE.model_copy(
    update={
        "sessions": (
            Session(name=SessionName("session_1"), execution_blocks=EBS[:1]),
            Session(name=SessionName("session_2")),
            Session(name=SessionName("session_3"), execution_blocks=EBS[1:]),
        ),
        "products": (*PRODUCTS, ProductFile(file_id="x.auxproducts.tgz", kind=ProductKind.AUX_PRODUCTS)),
    }
)
REQUEST = samples.REQUEST
BDF_SIZE = 300_000


def bdf_names(seed: int) -> list[str]:
    """Name the binary files of a block."""
    return [f"uid___A002_Xc7111c_X9{seed}{number}" for number in range(3)]


def main_table(bdfs: list[str]) -> str:
    """Write a Main table that names binary files."""
    rows = "".join(
        f'<row><time>{n}</time><dataUID><EntityRef entityId="uid://{name.removeprefix("uid___").replace("_", "/")}"'
        ' partId="X00000000" entityTypeName="Main" documentVersion="1"/></dataUID></row>'
        for n, name in enumerate(bdfs)
    )
    return f'<?xml version="1.0"?><MainTable xmlns="http://Alma/XASDM/MainTable">{rows}</MainTable>'


def write_asdm(folder: Path, eb_uid: ExecBlockUid, server: NgasServer, locations: Path, *, seed: int = 0) -> Path:
    """Write a small ASDM, archive it and report where it is."""
    binary = folder / "ASDMBinary"
    binary.mkdir(parents=True)
    content = random.Random(seed)
    for name in bdf_names(seed):
        (binary / name).write_bytes(content.randbytes(BDF_SIZE))
    (folder / "Main.xml").write_text(main_table(bdf_names(seed)))
    (folder / "Antenna.xml").write_text(f"<AntennaTable>{eb_uid}</AntennaTable>")
    (folder / "SysCal.bin").write_bytes(content.randbytes(5000))
    (folder / "Empty.bin").write_bytes(b"")
    location_report(folder, eb_uid, server, write_to=locations)
    return folder
