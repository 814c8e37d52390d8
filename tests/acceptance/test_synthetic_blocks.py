"""The synthetic execution blocks are real: CASA restores them from their products to the bit."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from casacore.tables import table
from lxml import etree

from contracts.identifiers import ExecBlockUid, MousUid, SessionName
from observatory.blocks import BlockProgress, BlockSpec, MadeBlock, ensure_blocks
from observatory.casa_process import run_casa_script
from observatory.products import write_products

MOUS = MousUid("uid://A001/X1284/X265f")
SESSION = SessionName("session_1")
SPECS = [
    BlockSpec(eb_uid=ExecBlockUid(uid), mous_uid=MOUS, session=SESSION)
    for uid in ("uid://A002/Xc7111c/X3979", "uid://A002/Xc7111c/X409e")
]
COMPARED = ("DATA", "FLAG", "WEIGHT", "SIGMA", "FLAG_ROW", "UVW", "TIME", "ANTENNA1", "ANTENNA2", "FIELD_ID")


@pytest.fixture(scope="module")
def blocks(observatory_cache: Path) -> list[MadeBlock]:
    return ensure_blocks(SPECS, cache=observatory_cache)


@pytest.fixture(scope="module")
def restored(blocks: list[MadeBlock], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory in which the first block was restored from its ASDM and packed products alone."""
    folder = tmp_path_factory.mktemp("restore")
    products = write_products(MOUS, {SESSION: [spec.eb_uid for spec in SPECS]}, blocks, into=folder / "products")
    block = blocks[0]
    order = {
        "eb_uid": block.spec.eb_uid,
        "asdm": block.asdm,
        "caltables": products.caltables[SESSION],
        "flagversions": products.flagversions[block.spec.eb_uid],
        "calapply": products.calapply[block.spec.eb_uid],
    }
    for name in ("working", "scratch"):
        (folder / name).mkdir()
    run_casa_script("reference_restore", order, workdir=folder / "working", scratch=folder / "scratch", timeout_s=200)
    return folder / "working"


def columns(ms: Path, *names: str) -> dict[str, np.ndarray]:
    with table(str(ms), ack=False) as opened:
        return {name: opened.getcol(name) for name in names}


def names_of(ms: Path, subtable: str, column: str) -> list[str]:
    return list(columns(ms / subtable, column)[column])


def test_a_restore_from_the_products_gives_the_truth_to_the_bit(blocks: list[MadeBlock], restored: Path) -> None:
    truth = columns(blocks[0].truth, *COMPARED)
    product = columns(restored / blocks[0].truth.name, *COMPARED)
    assert np.abs(product["DATA"] - truth["DATA"]).max() == 0.0
    for name in COMPARED:
        np.testing.assert_array_equal(product[name], truth[name], err_msg=name)
    assert len(truth["TIME"]) == blocks[0].facts.rows


def test_the_raw_data_is_not_the_truth(blocks: list[MadeBlock], restored: Path) -> None:
    raw = columns(restored / blocks[0].ms_name, "DATA")
    truth = columns(blocks[0].truth, "DATA")
    assert raw["DATA"].shape == truth["DATA"].shape
    assert np.abs(raw["DATA"] - truth["DATA"]).max() > 0.1


def test_the_calibration_finds_the_flux_densities_that_were_observed(blocks: list[MadeBlock]) -> None:
    for block in blocks:
        truth = columns(block.truth, "DATA", "FLAG", "FIELD_ID")
        fluxes = {flux.field: flux.flux_jy for flux in block.facts.fluxes}
        for number, name in enumerate(names_of(block.truth, "FIELD", "NAME")):
            if name not in block.facts.calibrators:
                continue
            of_field = truth["FIELD_ID"] == number
            mean = truth["DATA"][of_field][~truth["FLAG"][of_field]].mean()
            assert mean.real == pytest.approx(fluxes[name], rel=0.02)
            assert abs(mean.imag) < 0.01 * fluxes[name]


def test_the_faulty_antenna_and_the_edge_channels_are_flagged(blocks: list[MadeBlock]) -> None:
    truth = columns(blocks[0].truth, "FLAG", "ANTENNA1", "ANTENNA2", "SCAN_NUMBER")
    faulty = names_of(blocks[0].truth, "ANTENNA", "NAME").index("DA45")
    with_it = (truth["ANTENNA1"] == faulty) | (truth["ANTENNA2"] == faulty)
    in_scan = truth["SCAN_NUMBER"] == 2
    assert truth["FLAG"][with_it & in_scan].all()
    assert truth["FLAG"][:, (0, 1, 30, 31)].all()
    assert not truth["FLAG"][~with_it, 2:30].all()


def test_scans_carry_the_intents_that_alma_gives_them(blocks: list[MadeBlock], restored: Path) -> None:
    ms = restored / blocks[0].ms_name
    main = columns(ms, "FIELD_ID", "STATE_ID")
    fields, intents = names_of(ms, "FIELD", "NAME"), names_of(ms, "STATE", "OBS_MODE")
    pairs = {(fields[field], intents[state]) for field, state in zip(main["FIELD_ID"], main["STATE_ID"], strict=True)}
    assert pairs == {
        ("J0510+1800", "CALIBRATE_BANDPASS#ON_SOURCE"),
        ("J0423-0120", "CALIBRATE_FLUX#ON_SOURCE"),
        ("J0321+1234", "CALIBRATE_PHASE#ON_SOURCE"),
        ("HLX_Target", "OBSERVE_TARGET#ON_SOURCE"),
    }


def test_system_temperatures_come_through_the_asdm_and_are_applied(blocks: list[MadeBlock]) -> None:
    (tsys,) = [path for path in blocks[0].caltables if path.name.endswith(".tsyscal.tbl")]
    kelvin = columns(tsys, "FPARAM")["FPARAM"]
    assert 60 < kelvin.min() < kelvin.max() < 150
    assert blocks[0].calapply.read_text().count(tsys.name) == len(blocks[0].facts.fields)


def test_main_xml_tells_how_many_rows_a_restore_has_to_have(blocks: list[MadeBlock]) -> None:
    rows = 0
    for row in etree.parse(blocks[0].asdm / "Main.xml").getroot().findall("row"):
        antennas = int(row.findtext("numAntenna", "0"))
        rows += int(row.findtext("numIntegration", "0")) * antennas * (antennas - 1) // 2
    assert rows == blocks[0].facts.rows


def test_an_asdm_has_one_exec_block_with_its_own_uid(blocks: list[MadeBlock]) -> None:
    for block in blocks:
        container = etree.parse(block.asdm / "ASDM.xml").getroot().find("Entity")
        assert container is not None
        assert container.get("entityId") == block.spec.eb_uid
        uids = etree.parse(block.asdm / "ExecBlock.xml").getroot().findall("row/execBlockUID/EntityRef")
        assert [uid.get("entityId") for uid in uids] == [block.spec.eb_uid]


def test_no_two_binary_files_share_a_uid_and_each_says_its_own(blocks: list[MadeBlock]) -> None:
    seen: set[str] = set()
    for block in blocks:
        for path in (block.asdm / "ASDMBinary").iterdir():
            header = path.read_bytes()[:4096]
            (uid,) = re.findall(rb'dataOID[^>]*href="([^"]+)"', header)
            assert uid.decode().replace(":", "_").replace("/", "_") == path.name
            assert block.spec.eb_uid.encode() in header
            assert path.name not in seen
            seen.add(path.name)


def test_two_blocks_hold_different_data(blocks: list[MadeBlock]) -> None:
    first, second = (columns(block.truth, "DATA")["DATA"] for block in blocks)
    assert not np.array_equal(first, second)


def test_a_block_that_is_in_the_cache_is_not_made_again(blocks: list[MadeBlock], observatory_cache: Path) -> None:
    stages: list[str] = []

    def listen(progress: BlockProgress) -> None:
        stages.append(progress.stage)

    again = ensure_blocks(SPECS, cache=observatory_cache, on_progress=listen)
    assert again == blocks
    assert stages == ["cached", "cached"]


MAKE_IN_OWN_PROCESS = """
import sys
from pathlib import Path
from observatory.blocks import BlockSpec, ensure_blocks
from contracts.identifiers import ExecBlockUid, MousUid, SessionName
spec = BlockSpec(eb_uid=ExecBlockUid("uid://A002/Xc7111c/X3979"), mous_uid=MousUid("uid://A001/X1284/X265f"),
                 session=SessionName("session_1"))
ensure_blocks([spec], cache=Path(sys.argv[1]), on_progress=lambda p: print(p.stage, flush=True))
"""


def test_a_maker_that_is_killed_leaves_no_block_and_the_next_one_makes_it(
    blocks: list[MadeBlock], tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", MAKE_IN_OWN_PROCESS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as maker:
        assert maker.stdout is not None
        assert maker.stdout.readline().strip() == "simulating"
        maker.send_signal(signal.SIGKILL)
    assert [path.name for path in tmp_path.glob("uid___*")] == []
    (block,) = ensure_blocks(SPECS[:1], cache=tmp_path)
    assert [path.name for path in tmp_path.glob(".making-*")] == []
    made, same = (columns(one.truth, "DATA")["DATA"] for one in (block, blocks[0]))
    np.testing.assert_array_equal(made, same)
