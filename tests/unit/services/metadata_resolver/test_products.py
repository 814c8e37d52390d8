import pytest

from contracts.identifiers import ExecBlockUid, SessionName
from contracts.messages.parts import CalibrationKind, ProductKind
from services.metadata_resolver.products import Classified, calibration_kind, classify

MOUS = "uid___A001_X87c_X69"
EB = "uid___A002_Xc7111c_X3979"
KINDS = ProductKind

SPELLINGS: list[tuple[str, ProductKind, int | None, bool]] = [
    (f"member.{MOUS}.hifa_calimage.pipeline_manifest.xml", KINDS.MANIFEST, None, False),
    (f"member.{MOUS}.hifa_calimage.calimage.pipeline_manifest.xml", KINDS.MANIFEST, None, False),
    (f"{MOUS}.hsd_calimage.pipeline_manifest.xml", KINDS.MANIFEST, None, False),
    (f"{MOUS}.pipeline_manifest.xml", KINDS.MANIFEST, None, False),
    (f"{MOUS}.session_1.caltables.tgz", KINDS.CALTABLES, 1, False),
    (f"{MOUS}.session_1.caltables.tar.gz", KINDS.CALTABLES, 1, False),
    (f"member.{MOUS}.session_12.caltables.tgz", KINDS.CALTABLES, 12, False),
    (f"member.{MOUS}.s1.caltables.tgz", KINDS.CALTABLES, 1, False),
    (f"member.{MOUS}.hifa_calimage.session_2.caltables.tgz", KINDS.CALTABLES, 2, False),
    (f"member.{MOUS}.session_3.auxcaltables.tgz", KINDS.AUX_CALTABLES, 3, False),
    (f"member.{MOUS}.s3.auxcaltables.tgz", KINDS.AUX_CALTABLES, 3, False),
    (f"{EB}.ms.flagversions.tgz", KINDS.FLAGVERSIONS, None, True),
    (f"{EB}.ms.flagversions.tar.gz", KINDS.FLAGVERSIONS, None, True),
    (f"member.{MOUS}.{EB}.ms.flagversions.tgz", KINDS.FLAGVERSIONS, None, True),
    (f"{EB}.ms.calapply.txt", KINDS.CALAPPLY, None, True),
    (f"member.{MOUS}.{EB}.ms.calapply.txt", KINDS.CALAPPLY, None, True),
    (f"member.{MOUS}.hifa_calimage.pprequest.xml", KINDS.PPREQUEST, None, False),
    (f"PPR_{MOUS}.xml", KINDS.PPREQUEST, None, False),
    (f"member.{MOUS}.PPR_{MOUS}.xml", KINDS.PPREQUEST, None, False),
    ("casa_piperestorescript.py", KINDS.RESTORE_SCRIPT, None, False),
    (f"member.{MOUS}.hifa_calimage.casa_piperestorescript.py", KINDS.RESTORE_SCRIPT, None, False),
    ("casa_pipescript.py", KINDS.PIPE_SCRIPT, None, False),
    (f"member.{MOUS}.hifa_calimage_renorm.casa_pipescript.py", KINDS.PIPE_SCRIPT, None, False),
    (f"{EB}.ms.scriptForCalibration.py", KINDS.CALIBRATION_SCRIPT, None, True),
    (f"{EB}.ms.scriptForSDCalibration.py", KINDS.CALIBRATION_SCRIPT, None, True),
    (f"member.{MOUS}.{EB}.ms.scriptForCalibration.py", KINDS.CALIBRATION_SCRIPT, None, True),
    (f"member.{MOUS}.scriptForCalibration.py", KINDS.CALIBRATION_SCRIPT, None, False),
    (f"member.{MOUS}.scriptForPolCalibration.py", KINDS.CALIBRATION_SCRIPT, None, False),
    ("scriptForFluxCalibration.py", KINDS.CALIBRATION_SCRIPT, None, False),
    (f"member.{MOUS}.scriptForPI.py", KINDS.SCRIPT_FOR_PI, None, False),
    ("scriptForPI.py", KINDS.SCRIPT_FOR_PI, None, False),
    (f"member.{MOUS}.hifa_calimage.auxproducts.tgz", KINDS.AUX_PRODUCTS, None, False),
    (f"{MOUS}.supporting.tgz", KINDS.AUX_PRODUCTS, None, False),
]
OTHERS = [
    f"member.{MOUS}.hifa_calimage.product_rename.txt",
    f"member.{MOUS}.product_ingestor.xml",
    f"member.{MOUS}.pipeline_manifest.xml.product_ingestor.xml",
    f"member.{MOUS}.hifa_calimage.weblog.tgz",
    f"member.{MOUS}.hifa_calimage.casa_commands.log",
    f"member.{MOUS}.scriptForImaging.py",
    f"member.{MOUS}.scriptForImagingPrep.py",
    f"member.{MOUS}.HLX_Target_sci.spw25.cube.I.pbcor.fits",
    f"member.{MOUS}.session_1.caltables.tgz.md5",
    f"member.{MOUS}.session_0.caltables.tgz",
    f"{EB}_target.ms.auxcalapply.txt",
    f"member.{MOUS}.README.txt",
    "flux.csv",
    "scriptForPI.pyc",
    "",
]


@pytest.mark.parametrize(("name", "kind", "session", "of_block"), SPELLINGS, ids=[row[0] for row in SPELLINGS])
def test_a_product_is_known_in_every_cycles_spelling(
    name: str, kind: ProductKind, session: int | None, of_block: bool
) -> None:
    assert classify(name) == Classified(
        kind,
        session=SessionName.numbered(session) if session else None,
        eb_uid=ExecBlockUid(EB) if of_block else None,
    )


@pytest.mark.parametrize("name", OTHERS)
def test_what_no_restore_needs_is_left_out(name: str) -> None:
    assert classify(name) is None


@pytest.mark.parametrize(
    ("kinds", "calibration"),
    [
        ({KINDS.CALTABLES, KINDS.MANIFEST}, CalibrationKind.PIPELINE),
        ({KINDS.CALIBRATION_SCRIPT, KINDS.SCRIPT_FOR_PI}, CalibrationKind.MANUAL),
        ({KINDS.CALIBRATION_SCRIPT, KINDS.CALTABLES}, CalibrationKind.COMBINED),
        ({KINDS.SCRIPT_FOR_PI, KINDS.PIPE_SCRIPT}, None),
        (set(), None),
    ],
)
def test_the_kind_of_calibration_is_told_by_tables_and_scripts(
    kinds: set[ProductKind], calibration: CalibrationKind | None
) -> None:
    assert calibration_kind(kinds) is calibration
