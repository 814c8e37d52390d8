"""Blocks that people calibrated are ordered with their scripts, or fail with what is unclear."""

import pytest

from contracts.identifiers import ExecBlockUid
from contracts.messages.parts import CalibrationKind, CasaBasis, ProductFile, ProductKind, Session
from contracts.reasons import ReasonCode
from shared.pipeline_files.ppr import read_ppr
from tests.unit.services.ppr_builder.demo import ALL, DEMO, THIRD
from tests.unit.services.ppr_builder.desk import MOUS, Desk

FOR_PI = f"member.{MOUS}.scriptForPI.py"
SUPPORTING = f"{MOUS}.supporting.tgz"
FLUX = f"member.{MOUS}.scriptForFluxCalibration.py"
VERSION = b"if re.search('^4.7.2', casadef.casa_version) == None:\n sys.exit('no')\n"


def own(eb: ExecBlockUid) -> str:
    return f"member.{MOUS}.{eb.file_form}.ms.scriptForCalibration.py"


def of_scripts(desk: Desk, *more: ProductFile, kind: CalibrationKind = CalibrationKind.MANUAL) -> Desk:
    """Stage scripts instead of tables, for all blocks."""
    listed = (
        ProductFile(file_id=FOR_PI, kind=ProductKind.SCRIPT_FOR_PI),
        ProductFile(file_id=SUPPORTING, kind=ProductKind.AUX_PRODUCTS),
        *(ProductFile(file_id=own(eb), kind=ProductKind.CALIBRATION_SCRIPT, eb_uid=eb) for eb in ALL),
        *more,
    )
    desk.structure = DEMO.model_copy(update={"products": listed, "calibration": kind})
    desk.files = {product.file_id: VERSION for product in listed}
    return desk


def alone(desk: Desk) -> Desk:
    """Leave the MOUS one block."""
    sessions = (Session(name=DEMO.sessions[0].name, execution_blocks=(THIRD,)),)
    desk.structure = desk.structure.model_copy(update={"sessions": sessions})
    return desk


def test_a_block_is_ordered_with_its_scripts_and_the_casa_that_they_name(desk: Desk) -> None:
    order = of_scripts(desk).order()

    assert [product.name for product in order.products] == [own(THIRD), FOR_PI, SUPPORTING]
    assert (order.calibration, order.casa_version) == (CalibrationKind.MANUAL, "4.7.2")
    assert order.casa is not None
    assert (order.casa.version, order.casa.basis, order.casa.image) == ("4.7.2", CasaBasis.SCRIPT, "casa-4.7.2-el7")


def test_the_request_that_is_kept_with_it_imports_and_no_more(desk: Desk) -> None:
    request = read_ppr(desk.objects.read(of_scripts(desk).order().ppr.ref))

    assert [command.task for command in request.procedure.commands] == ["hifa_importdata"]
    assert (request.execution_blocks, request.session_of(THIRD)) == ((THIRD,), "session_3")


def test_another_text_of_a_script_is_another_result(desk: Desk) -> None:
    first = of_scripts(desk).order().restore_key
    desk.files[own(THIRD)] = VERSION + b"mysteps = []\n"

    assert desk.order().restore_key != first


def test_a_casa_that_no_table_knows_is_ordered_all_the_same(desk: Desk) -> None:
    of_scripts(desk).files[own(THIRD)] = VERSION.replace(b"4.7.2", b"99.1")

    order = desk.order()

    assert (order.casa_version, order.casa) == ("99.1", None)


def test_of_a_combined_mous_blocks_without_a_script_are_restored_from_their_tables(desk: Desk) -> None:
    desk.structure = DEMO.model_copy(update={"calibration": CalibrationKind.COMBINED})

    assert desk.order().calibration is CalibrationKind.PIPELINE


def test_a_script_for_the_whole_mous_is_no_trouble_where_there_is_one_block(desk: Desk) -> None:
    flux = ProductFile(file_id=FLUX, kind=ProductKind.CALIBRATION_SCRIPT)

    order = alone(of_scripts(desk, flux)).order()

    assert [product.name for product in order.products] == [own(THIRD), FOR_PI, FLUX, SUPPORTING]


def test_blocks_that_were_calibrated_together_are_not_restored_one_by_one(desk: Desk) -> None:
    flux = ProductFile(file_id=FLUX, kind=ProductKind.CALIBRATION_SCRIPT)

    failure = of_scripts(desk, flux).failure().failure

    assert failure.reason is ReasonCode.CALIBRATED_TOGETHER
    assert FLUX in failure.detail


def test_tables_that_a_script_of_the_mous_corrects_are_not_enough(desk: Desk) -> None:
    polarisation = ProductFile(file_id="scriptForPolCalibration.py", kind=ProductKind.CALIBRATION_SCRIPT)
    desk.structure = DEMO.model_copy(update={"calibration": CalibrationKind.COMBINED, "products": (polarisation,)})

    assert alone(desk).failure().failure.reason is ReasonCode.CALIBRATED_TOGETHER


def test_a_block_with_tables_and_a_script_is_not_guessed_at(desk: Desk) -> None:
    calapply = ProductFile(file_id="x.calapply.txt", kind=ProductKind.CALAPPLY, eb_uid=THIRD)

    failure = of_scripts(desk, calapply, kind=CalibrationKind.COMBINED).failure().failure

    assert failure.reason is ReasonCode.CALIBRATION_UNCLEAR
    assert own(THIRD) in failure.detail


@pytest.mark.parametrize("missing", [own(THIRD), FOR_PI])
def test_a_script_that_was_not_staged_is_missed(desk: Desk, missing: str) -> None:
    of_scripts(desk).files.pop(missing)

    assert desk.failure().failure.reason is ReasonCode.PRODUCTS_INCOMPLETE


def test_a_script_that_names_no_casa_is_refused(desk: Desk) -> None:
    of_scripts(desk).files[own(THIRD)] = b"mysteps = []\n"

    assert desk.failure().failure.reason is ReasonCode.CASA_VERSION_UNAVAILABLE


def test_a_script_that_left_the_store_is_missed(desk: Desk) -> None:
    event = of_scripts(desk).staged()
    desk.objects.delete(f"calibration/{own(THIRD)}")

    answers = desk.handle(event)

    assert answers[0].data.failure.reason is ReasonCode.PRODUCTS_INCOMPLETE  # type: ignore[attr-defined]  # it failed
