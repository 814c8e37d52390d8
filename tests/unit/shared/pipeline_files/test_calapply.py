"""The calapply file is read as data, and what would calibrate wrongly is refused by name."""

from collections.abc import Callable

import pytest

from contracts.identifiers import ExecBlockUid
from contracts.reasons import ReasonCode
from shared.pipeline_files import CalapplyError, read_calapply

EB = ExecBlockUid("uid://A002/Xc7111c/X3979")
VIS = "uid___A002_Xc7111c_X3979.ms"
TWO_TABLES = {
    "vis": repr(VIS),
    "field": "'HLX_Target'",
    "intent": "'TARGET'",
    "spw": "'0~1'",
    "antenna": "'0~7'",
    "gaintable": f"['{VIS}.bcal.tbl', '{VIS}.gpcal.tbl']",
    "gainfield": "['', 'J0321+1234']",
    "spwmap": "[[], [0, 0]]",
    "interp": "['linear,linear', 'linearPD,linear']",
    "calwt": "[True, False]",
}


def call(**changes: str | None) -> str:
    """Write an applycal call; None leaves a parameter out."""
    values = {name: value for name, value in {**TWO_TABLES, **changes}.items() if value is not None}
    return f"applycal({', '.join(f'{name}={value}' for name, value in values.items())})"


def read(*lines: str) -> object:
    return read_calapply("\n".join(lines).encode(), eb_uid=EB)


def test_a_call_is_read_with_one_value_per_table() -> None:
    (found,) = read_calapply(f"# Apply file for {VIS}\n{call()}\n".encode(), eb_uid=EB)

    assert (found.line, found.vis, found.field, found.intent) == (2, VIS, "HLX_Target", "TARGET")
    assert (found.spw, found.antenna) == ("0~1", "0~7")
    assert found.gaintable == (f"{VIS}.bcal.tbl", f"{VIS}.gpcal.tbl")
    assert found.gainfield == ("", "J0321+1234")
    assert found.spwmap == ((), (0, 0))
    assert found.interp == ("linear,linear", "linearPD,linear")
    assert found.calwt == (True, False)
    assert found.options == ()


def test_a_single_table_may_stand_without_lists() -> None:
    line = call(gaintable="'a.tbl'", gainfield="''", spwmap="[0, 0, 2]", interp="''", calwt="True")

    (found,) = read_calapply(line.encode(), eb_uid=EB)

    assert (found.gaintable, found.gainfield, found.interp) == (("a.tbl",), ("",), ("",))
    assert (found.spwmap, found.calwt) == (((0, 0, 2),), (True,))


@pytest.mark.parametrize(("spwmap", "expected"), [("[]", ((),)), ("[[]]", ((),)), ("[[1, 1]]", ((1, 1),))])
def test_the_spwmap_of_a_single_table_is_read_in_both_forms(spwmap: str, expected: object) -> None:
    line = call(gaintable="['a.tbl']", gainfield="['']", spwmap=spwmap, interp="['']", calwt="[True]")

    assert read_calapply(line.encode(), eb_uid=EB)[0].spwmap == expected


def test_paths_are_cut_to_names() -> None:
    line = call(vis=f"'/data/working/{VIS}'", gaintable="['/data/working/a.tbl', '../b.tbl']")

    (found,) = read_calapply(line.encode(), eb_uid=EB)

    assert (found.vis, found.gaintable) == (VIS, ("a.tbl", "b.tbl"))


def test_options_are_kept_with_their_values() -> None:
    (found,) = read_calapply(call(parang="True", applymode="'calflagstrict'").encode(), eb_uid=EB)

    assert found.options == (("applymode", "calflagstrict"), ("parang", True))


def test_calls_keep_their_order_and_windows_line_ends_do_no_harm() -> None:
    text = "\r\n".join(["# head", call(field="'A'"), "", "  " + call(field="'B'"), ""])

    found = read_calapply(text.encode(), eb_uid=EB)

    assert [(each.line, each.field) for each in found] == [(2, "A"), (4, "B")]


REFUSED: dict[str, tuple[str, str]] = {
    "a scalar calwt for two tables": ("one_length", call(calwt="True")),
    "a gainfield too few": ("one_length", call(gainfield="['']")),
    "an empty gainfield list": ("one_length", call(gainfield="[]")),
    "an interp too many": ("one_length", call(interp="['', '', '']")),
    "one spwmap for two tables": ("one_length", call(spwmap="[[]]")),
    "no antenna": ("missing", call(antenna=None)),
    "no calwt": ("missing", call(calwt=None)),
    "no vis": ("missing", call(vis=None)),
    "no table": ("gaintable", call(gaintable="[]", gainfield="[]", spwmap="[]", interp="[]", calwt="[]")),
    "a function call as value": ("literal", call(field="open('/etc/passwd').read()")),
    "a name as value": ("literal", call(calwt="[T, F]")),
    "a formatted string": ("literal", call(field="f'{1+1}'")),
    "a parameter of no release": ("unknown", call(gaintabel="[]")),
    "a calibration library": ("unknown", call(docallib="True")),
    "a parameter given twice": ("repeated", call()[:-1] + ", spw='0')"),
    "a double-star argument": ("keywords", call()[:-1] + ", **{})"),
    "a positional argument": ("keywords", "applycal('a.ms')"),
    "an unclosed call": ("syntax", call()[:-1]),
    "a second statement": ("syntax", call() + "; import os"),
    "something after the call": ("syntax", call() + ".run()"),
    "another task": ("syntax", "flagdata(vis='a.ms')"),
    "an import": ("syntax", "import os"),
    "a call over two lines": ("syntax", call().replace(", spw", ",\nspw")),
    "nesting without end": ("syntax", "applycal(vis=" + "(" * 5000 + ")" * 5000 + ")"),
    "another MeasurementSet": ("vis", call(vis="'uid___A002_Xc7111c_X409e.ms'")),
    "a number for a field": ("type", call(field="3")),
    "a number in gaintable": ("type", call(gaintable="['a.tbl', 3]")),
    "a number for calwt": ("type", call(calwt="[1, 0]")),
    "a flat spwmap for two tables": ("type", call(spwmap="[0, 1]")),
    "a text in spwmap": ("type", call(spwmap="[[], ['0']]")),
    "a spwmap that is no list": ("type", call(spwmap="0")),
    "an unknown applymode": ("type", call(applymode="'fast'")),
    "a text for parang": ("type", call(parang="'False'")),
    "a table without a name": ("name", call(gaintable="['a.tbl', '']")),
    "a table that is a folder above": ("name", call(gaintable="['a.tbl', '..']")),
    "no calls at all": ("no_calls", "# Apply file for nothing"),
}


@pytest.mark.parametrize(("rule", "text"), REFUSED.values(), ids=REFUSED)
def test_what_would_calibrate_wrongly_is_refused(rule: str, text: str) -> None:
    with pytest.raises(CalapplyError) as refused:
        read(text)

    assert refused.value.rule == rule
    assert refused.value.reason is ReasonCode.CALAPPLY_INVALID


def test_a_refusal_names_the_line_and_the_rule() -> None:
    with pytest.raises(CalapplyError, match=r"line 3: one entry per table .*gaintable 2.*calwt 1 \[one_length\]"):
        read("# head", call(), call(calwt="True"))


def no_text() -> bytes:
    return b"\xff\xfe\x00"


def too_large() -> bytes:
    return b"#" * (16 * 2**20 + 1)


@pytest.mark.parametrize(("make", "rule"), [(no_text, "encoding"), (too_large, "size")])
def test_bytes_that_are_no_calapply_file_are_refused(make: Callable[[], bytes], rule: str) -> None:
    with pytest.raises(CalapplyError) as refused:
        read_calapply(make(), eb_uid=EB)

    assert refused.value.rule == rule
