"""The calapply file is what the pipeline's restore and our own reader take."""

from contracts.identifiers import ExecBlockUid
from observatory.calibration import CalApply, CalTable, calapply_text, casa_intent
from shared.pipeline_files import read_calapply

EB = ExecBlockUid("uid://A002/Xc7111c/X3979")
VIS = f"{EB.file_form}.ms"
LINE = CalApply(
    vis=VIS,
    field="HLX_Target",
    intent="TARGET",
    spw="0~1",
    antenna="0~7",
    tables=(
        CalTable(name=f"{VIS}.tsys.tbl", gainfield="J0321+1234", spwmap=(0, 1), calwt=True),
        CalTable(name=f"{VIS}.gpcal.tbl", interp="linearPD,linear"),
    ),
)


def test_the_file_begins_with_its_comment_and_holds_one_literal_call_a_line() -> None:
    assert calapply_text(VIS, [LINE]) == (
        f"# Apply file for {VIS}\n"
        f"applycal(vis='{VIS}', field='HLX_Target', intent='TARGET', spw='0~1', antenna='0~7', "
        f"gaintable=['{VIS}.tsys.tbl', '{VIS}.gpcal.tbl'], gainfield=['J0321+1234', ''], spwmap=[[0, 1], []], "
        "interp=['linear,linear', 'linearPD,linear'], calwt=[True, False])\n"
    )


def test_what_is_written_can_be_read_by_the_services() -> None:
    (call,) = read_calapply(calapply_text(VIS, [LINE]).encode(), eb_uid=EB)
    assert call.gaintable == tuple(table.name for table in LINE.tables)
    assert call.spwmap == ((0, 1), ())
    assert call.calwt == (True, False)


def test_the_pipelines_words_for_intents_select_scans_by_the_asdms() -> None:
    assert casa_intent("AMPLITUDE") == "CALIBRATE_FLUX#ON_SOURCE"
    assert casa_intent("TARGET") == "OBSERVE_TARGET#ON_SOURCE"
    assert casa_intent("") == ""
