"""Packages from before there were manifests: one is built where that leaves no doubt."""

from collections.abc import Mapping

import pytest

from contracts.identifiers import ExecBlockUid
from contracts.messages.parts import CasaBasis, CasaChoice, ProductFile, ProductKind
from contracts.reasons import ReasonCode
from shared.pipeline_files import read_manifest
from tests.unit.services.ppr_builder.demo import ALL, DEMO, SESSIONS, THIRD
from tests.unit.services.ppr_builder.desk import MANIFEST_NAME, MOUS, Desk

SCRIPT_NAME = f"{MOUS}.casa_piperestorescript.py"


def script(sessions: Mapping[int, tuple[ExecBlockUid, ...]] = SESSIONS, steps: str = "") -> bytes:
    vis = [eb.file_form for blocks in sessions.values() for eb in blocks]
    names = [f"session_{number}" for number, blocks in sessions.items() for _ in blocks]
    return f"h_init()\n{steps}\nhif_restoredata(vis={vis}, session={names}, ocorr_mode='ca')\nh_save()\n".encode()


@pytest.fixture
def old(desk: Desk) -> Desk:
    """Stage a package of Cycle 4: names without ``member.``, no manifest."""
    del desk.files[MANIFEST_NAME]
    desk.files = {name.removeprefix("member."): data for name, data in desk.files.items()}
    desk.files[SCRIPT_NAME] = script()
    listed = tuple(ProductFile(file_id=name, kind=ProductKind.CALTABLES) for name in desk.files)
    casa = CasaChoice(version="4.7.2", image="casa-4.7.2-el6", basis=CasaBasis.INGESTED)
    desk.structure = DEMO.model_copy(update={"products": listed, "casa": casa})
    return desk


def test_a_manifest_is_built_for_a_package_that_has_none_and_the_log_says_so(
    old: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    order = old.order()

    assert [product.name for product in order.products] == [
        f"{MOUS}.built.pipeline_manifest.xml",
        f"{MOUS}.session_3.caltables.tgz",
        f"{THIRD.file_form}.ms.flagversions.tgz",
        f"{THIRD.file_form}.ms.calapply.txt",
    ]
    assert (order.casa_version, order.pipeline_version) == ("4.7.2", None)
    assert order.casa == old.structure.casa
    assert read_manifest(old.objects.read(order.products[0].ref)).blocks_by_session == {
        f"session_{number}": blocks for number, blocks in SESSIONS.items()
    }
    assert "manifest_built" in capsys.readouterr().out


def test_a_script_that_does_more_than_restore_is_told(old: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    old.files[SCRIPT_NAME] = script(steps="fixsyscaltimes(vis='a.ms')")

    old.order()

    assert "fixsyscaltimes" in capsys.readouterr().out


def test_sessions_of_the_script_have_to_be_those_of_the_tables(old: Desk) -> None:
    old.files[SCRIPT_NAME] = script({1: ALL})

    assert old.failure().failure.reason is ReasonCode.SESSIONS_DISAGREE


def test_no_manifest_is_built_where_sessions_are_in_doubt(old: Desk) -> None:
    del old.files[SCRIPT_NAME]

    failure = old.failure().failure

    assert failure.reason is ReasonCode.MANIFEST_UNREADABLE
    assert "nothing says in which of session_1, session_3" in failure.detail


def test_no_manifest_is_built_where_the_tables_list_one(old: Desk) -> None:
    listed = ProductFile(file_id=MANIFEST_NAME, kind=ProductKind.MANIFEST)
    old.structure = old.structure.model_copy(update={"products": (*old.structure.products, listed)})

    assert "no pipeline manifest was staged" in old.failure().failure.detail


def test_two_different_restore_scripts_are_refused(old: Desk) -> None:
    old.files[f"member.{SCRIPT_NAME}"] = script({1: ALL})

    assert "several restore scripts" in old.failure().failure.detail


def test_single_dish_is_not_restored_as_if_it_were_of_an_interferometer(old: Desk) -> None:
    old.files[SCRIPT_NAME] = script().replace(b"hif_restoredata", b"hsd_restoredata")

    failure = old.failure().failure

    assert failure.reason is ReasonCode.PPR_INVALID
    assert "sd-restore is not known of CASA 4.7.2" in failure.detail
