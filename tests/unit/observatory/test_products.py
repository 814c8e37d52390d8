"""Products of a MOUS are packed in the pipeline's form, under the archive's names."""

import json
import tarfile
from pathlib import Path

import pytest
from lxml import etree

from contracts.identifiers import ExecBlockUid, MousUid, SessionName
from observatory.blocks import BlockSpec, MadeBlock
from observatory.products import MousProducts, ProductsError, write_products
from shared.pipeline_files import canonical_product_name, read_manifest

MOUS = MousUid("uid://A001/X1284/X265f")
ONE, TWO, THREE, FOUR = (
    ExecBlockUid(f"uid://A002/{uid}") for uid in ("Xc7111c/X3979", "Xc7111c/X409e", "Xc7111c/X86a7", "Xc72427/X2dfe")
)
ALL = (ONE, TWO, THREE, FOUR)
SESSIONS = {
    SessionName("session_1"): [ONE, TWO],
    SessionName("session_2"): [],
    SessionName("session_3"): [THREE, FOUR],
}
REQUEST = "{Alma/pipelinescience/SciPipeRequest}"


def fake_block(folder: Path, eb_uid: ExecBlockUid) -> MadeBlock:
    """A block as its maker leaves it, with a few bytes in the place of every table."""
    spec = BlockSpec(eb_uid=eb_uid, mous_uid=MOUS, session=SessionName("session_1"))
    root = folder / eb_uid.file_form
    ms = f"{eb_uid.file_form}.ms"
    for name in (f"caltables/{ms}.b.bcal.tbl", f"caltables/{ms}.a.tsyscal.tbl", f"{ms}.flagversions"):
        (root / name).mkdir(parents=True)
        (root / name / "table.dat").write_text(name)
    (root / f"{ms}.calapply.txt").write_text(f"# Apply file for {ms}\n")
    facts = {
        "rows": 10,
        "casa_version": "6.7.0-31",
        "fields": ["J0510+1800", "HLX_Target"],
        "calibrators": ["J0510+1800"],
        "antennas": ["DA41"],
        "fluxes": [["J0510+1800", 0, 2.4], ["HLX_Target", 0, 0.25]],
        "flag_commands": ["mode='manual' antenna='DA41'"],
    }
    (root / "block.json").write_text(json.dumps(facts))
    return MadeBlock.load(spec, root)


@pytest.fixture
def blocks(tmp_path: Path) -> list[MadeBlock]:
    return [fake_block(tmp_path / "cache", eb) for eb in (FOUR, ONE, THREE, TWO)]


@pytest.fixture
def products(blocks: list[MadeBlock], tmp_path: Path) -> MousProducts:
    return write_products(MOUS, SESSIONS, blocks, into=tmp_path / "products")


def members(path: Path) -> list[str]:
    with tarfile.open(path) as tar:
        return tar.getnames()


def test_names_of_the_mous_have_the_archives_prefix_and_names_of_blocks_do_not(products: MousProducts) -> None:
    of_mous = "member.uid___A001_X1284_X265f"
    assert [path.name for path in products.files] == [
        f"{of_mous}.hifa_calimage.auxproducts.tgz",
        f"{of_mous}.hifa_calimage.casa_commands.log",
        f"{of_mous}.hifa_calimage.casa_piperestorescript.py",
        f"{of_mous}.hifa_calimage.casa_pipescript.py",
        f"{of_mous}.hifa_calimage.pipeline_manifest.xml",
        f"{of_mous}.hifa_calimage.pprequest.xml",
        f"{of_mous}.hifa_calimage.weblog.tgz",
        f"{of_mous}.session_1.caltables.tgz",
        f"{of_mous}.session_3.caltables.tgz",
        *sorted(f"{eb.file_form}.ms.{end}" for eb in ALL for end in ("calapply.txt", "flagversions.tgz")),
    ]
    assert all(path.is_file() for path in products.files)


def test_the_manifest_lists_sessions_with_blocks_under_the_names_as_exported(products: MousProducts) -> None:
    manifest = read_manifest(products.manifest.read_bytes())
    assert manifest.mous_uid == MOUS
    assert manifest.casa_version == "6.7.0.31"
    assert [(session.name, [asdm.eb_uid for asdm in session.asdms]) for session in manifest.sessions] == [
        ("session_1", [ONE, TWO]),
        ("session_3", [THREE, FOUR]),
    ]
    assert b"member." not in products.manifest.read_bytes()


def test_every_file_the_manifest_names_exists_once_the_archives_prefix_is_taken_off(products: MousProducts) -> None:
    ous = etree.parse(products.manifest).getroot()[0]
    named = {
        element.get("name") for element in ous.iter() if element.get("format") in {"tgz", "txt", "xml", "py", "log"}
    }
    assert named == {canonical_product_name(path.name) for path in products.files}


def test_a_manifest_can_name_files_as_the_archive_does(blocks: list[MadeBlock], tmp_path: Path) -> None:
    renamed = write_products(MOUS, SESSIONS, blocks, into=tmp_path / "renamed", prefix_in_manifest="member.")
    session = read_manifest(renamed.manifest.read_bytes()).sessions[0]
    assert session.caltables == "member.uid___A001_X1284_X265f.session_1.caltables.tgz"


def test_a_sessions_caltables_hold_the_tables_of_all_its_blocks(products: MousProducts) -> None:
    names = members(products.caltables[SessionName("session_1")])
    tables = [f"{eb.file_form}.ms.{table}" for eb in (ONE, TWO) for table in ("a.tsyscal.tbl", "b.bcal.tbl")]
    assert names == [name for table in tables for name in (table, f"{table}/table.dat")]
    assert SessionName("session_2") not in products.caltables


def test_flags_are_packed_under_the_measurement_sets_name(products: MousProducts) -> None:
    folder = f"{ONE.file_form}.ms.flagversions"
    assert members(products.flagversions[ONE]) == [folder, f"{folder}/table.dat"]


def test_the_processing_request_counts_empty_sessions_too(products: MousProducts) -> None:
    root = etree.parse(products.pprequest).getroot()
    intents = {entry[0].text: entry[1].text for entry in root.iter(f"{REQUEST}Intents")}
    assert intents["SESSION_1"] == f"{ONE} | {TWO}"
    assert not intents["SESSION_2"]
    assert intents["SESSION_3"] == f"{THREE} | {FOUR}"
    assert [name.text for name in root.iter(f"{REQUEST}AsdmDiskName")] == [eb.file_form for eb in ALL]


def test_every_command_of_the_request_has_a_parameter_set(products: MousProducts) -> None:
    commands = list(etree.parse(products.pprequest).getroot().iter(f"{REQUEST}ProcessingCommand"))
    assert len(commands) > 10
    assert all(command.find(f"{REQUEST}ParameterSet") is not None for command in commands)


def test_the_restore_script_tells_the_session_of_each_block(products: MousProducts) -> None:
    text = products.restore_script.read_text()
    assert f"vis={[eb.file_form for eb in ALL]}" in text
    assert "session=['session_1', 'session_1', 'session_3', 'session_3'], ocorr_mode='ca'" in text


def test_auxiliary_products_hold_fluxes_positions_and_flag_templates(products: MousProducts) -> None:
    assert members(products.aux_products) == [
        "antennapos.csv",
        "flux.csv",
        *sorted(f"{eb.file_form}.flagtemplate.txt" for eb in ALL),
    ]
    with tarfile.open(products.aux_products) as tar:
        flux = tar.extractfile("flux.csv")
        assert flux is not None
        rows = flux.read().decode().splitlines()
    assert rows[1] == f"{ONE.file_form}.ms,J0510+1800,0,2.4,0.0,0.0,0.0,-0.7,synthetic"
    assert len(rows) == 1 + 4


def test_the_same_blocks_give_the_same_bytes(blocks: list[MadeBlock], products: MousProducts, tmp_path: Path) -> None:
    again = write_products(MOUS, SESSIONS, list(reversed(blocks)), into=tmp_path / "again")
    assert [path.read_bytes() for path in again.files] == [path.read_bytes() for path in products.files]


@pytest.mark.parametrize(
    "sessions",
    [
        {SessionName("session_1"): [ONE, TWO]},
        {**SESSIONS, SessionName("session_4"): [ExecBlockUid("uid://A002/X1/X1")]},
        {**SESSIONS, SessionName("session_4"): [ONE]},
    ],
)
def test_sessions_that_do_not_fit_the_blocks_are_refused(
    sessions: dict[SessionName, list[ExecBlockUid]], blocks: list[MadeBlock], tmp_path: Path
) -> None:
    with pytest.raises(ProductsError, match="sessions name"):
        write_products(MOUS, sessions, blocks, into=tmp_path / "products")
