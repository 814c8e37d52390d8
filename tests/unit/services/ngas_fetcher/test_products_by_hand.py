"""Where people calibrated, their scripts are fetched too, and those of other blocks are not."""

import pytest

from contracts.identifiers import ExecBlockUid
from contracts.messages.parts import CalibrationKind, ProductFile, ProductKind, Session
from services.ngas_fetcher.products import needed_products
from tests.support.samples import STRUCTURE

EB, OTHER = ExecBlockUid("uid://A002/Xc7111c/X3979"), ExecBlockUid("uid://A002/Xc7111c/X409e")
PRODUCTS = (
    ProductFile(file_id="own.scriptForCalibration.py", kind=ProductKind.CALIBRATION_SCRIPT, eb_uid=EB),
    ProductFile(file_id="other.scriptForCalibration.py", kind=ProductKind.CALIBRATION_SCRIPT, eb_uid=OTHER),
    ProductFile(file_id="scriptForFluxCalibration.py", kind=ProductKind.CALIBRATION_SCRIPT),
    ProductFile(file_id="scriptForPI.py", kind=ProductKind.SCRIPT_FOR_PI),
    ProductFile(file_id="x.supporting.tgz", kind=ProductKind.AUX_PRODUCTS),
)


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        (CalibrationKind.PIPELINE, []),
        (
            CalibrationKind.MANUAL,
            ["own.scriptForCalibration.py", "scriptForFluxCalibration.py", "scriptForPI.py", "x.supporting.tgz"],
        ),
        (
            CalibrationKind.COMBINED,
            ["own.scriptForCalibration.py", "scriptForFluxCalibration.py", "scriptForPI.py", "x.supporting.tgz"],
        ),
    ],
)
def test_scripts_are_needed_where_people_calibrated(kind: CalibrationKind, needed: list[str]) -> None:
    session = Session(name=STRUCTURE.sessions[0].name, execution_blocks=(EB, OTHER))
    structure = STRUCTURE.model_copy(update={"calibration": kind, "products": PRODUCTS, "sessions": (session,)})

    assert [product.file_id for product in needed_products(structure, EB)] == needed
