"""Files that the pipeline would misread are refused with the rule that they break; no rule is without a case."""

import ast
from pathlib import Path

import pytest

from shared.pipeline_files import ppr
from shared.pipeline_files.ppr import PprError, read_ppr
from shared.pipeline_files.ppr.foresight import foresee
from shared.pipeline_files.ppr.reading import Ending
from tests.unit.shared.pipeline_files.ppr.sample_ppr import FIRST, instead, within
from tests.unit.shared.pipeline_files.ppr.test_refusals import BROKEN

MISWRITTEN: dict[str, tuple[str, bytes]] = {
    "no XML": ("xml", b"PPR"),
    "no bytes": ("xml", b""),
    "another document": ("xml", b"<piperesults/>"),
    "a document type": ("xml", instead("<SciPipeRequest ", "<!DOCTYPE SciPipeRequest><SciPipeRequest ")),
    "entities that grow": (
        "xml",
        instead("<SciPipeRequest ", '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><SciPipeRequest ').replace(
            b"2017.1.00886.L<", b"&b;<"
        ),
    ),
    "a file of the machine": (
        "xml",
        instead("<SciPipeRequest ", '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><SciPipeRequest '),
    ),
    "nesting without end": ("xml", instead("</SciPipeRequest>", "<a>" * 99 + "</a>" * 99 + "</SciPipeRequest>")),
    "megabytes": ("xml", instead("</SciPipeRequest>", " " * 2**22 + "</SciPipeRequest>")),
    "an encoding that the pipeline's parser does not know": (
        "xml",
        instead('encoding="UTF-8"', 'encoding="EUC-JP"'),
    ),
    "an encoding of four bytes": ("xml", instead('encoding="UTF-8"', 'encoding="UTF-32"').decode().encode("utf-32")),
    "no structure": ("count", instead(within("ProjectStructure"), "")),
    "two requests": ("count", instead(within("ProcessingRequest"), within("ProcessingRequest") * 2)),
    "two sets of scheduling blocks": ("count", instead(within("SchedBlockSet"), within("SchedBlockSet") * 2)),
    "two scheduling blocks": ("count", instead(within("SchedBlockIdentifier"), within("SchedBlockIdentifier") * 2)),
    "no scheduling block": ("count", instead(within("SchedBlockIdentifier"), "")),
    "no set of parameters": ("count", instead(within("ParameterSet"), "")),
    "two sets of parameters": ("count", instead(within("ParameterSet"), within("ParameterSet") * 2)),
    "no disk name": ("count", instead("<AsdmDiskName>uid___A002_Xc7111c_X86a7</AsdmDiskName>", "")),
    "a comment in a value": ("content", instead("<Value>False</Value>", "<Value>False<!-- or not --></Value>")),
    "a comment in a session": ("content", instead(f"{FIRST} | ", f"<!-- a -->{FIRST} | ")),
    "CDATA in a command": ("content", instead("hifa_restoredata", "<![CDATA[hifa_restoredata]]>")),
    "an instruction in a command": ("content", instead("hifa_restoredata", "hifa_restoredata<?a b?>")),
    "an element in a title": ("content", instead(">hifa_restore<", "><b>hifa_restore</b><")),
    "a command on a line of its own": ("characters", instead("hifa_restoredata", "\nhifa_restoredata\n")),
    "a time in words": ("creation_time", instead("2018-10-01T12:00:00.000", "yesterday")),
    "a gap in the sessions": ("session_gap", instead("SESSION_2", "SESSION_4")),
    "an ASDM with its ending": ("asdm_disk_name", instead("X86a7</Asdm", "X86a7.asdm.sdm</Asdm")),
    "an element with a dot in its name": ("element_name", instead("<Telescope", "<Site.Name>x</Site.Name><Telescope")),
    "an element with a name of Python's": ("element_name", instead("<Telescope", "<class/><Telescope")),
    "an element with a name of its reader's": ("element_name", instead("<Telescope", "<ns1:attributes/><Telescope")),
    "an element with a name of its reader's values": ("element_name", instead("<Telescope", "<getValue/><Telescope")),
    "an element with a name of the document's": ("element_name", instead("<Telescope", "<ownerDocument/><Telescope")),
    "an element with a name of Python 2's": ("element_name", instead("<Telescope", "<print/><Telescope")),
    "an element with letters that Python 2 does not know": ("element_name", instead("<Telescope", "<Été/><Telescope")),
    "an element that another's second name is": ("element_name", instead("<Telescope", "<Telescope_obj/><Telescope")),
    "a number that older Pythons read as a text": ("spelling", instead(">False<", ">1_000<")),
    "a number that newer Pythons read as infinity": ("spelling", instead(">False<", f">{'1' * 5000}<")),
    "a value that ends Python's own reader": ("unreadable", instead(">False<", f">{'-' * 4000}1<")),
    "a keyword that is a number": ("cast", instead(">PROCESS<", ">7<")),
    "a keyword that is a list": ("cast", instead(">PROCESS<", ">[1]<")),
    "a parameter that is a number": ("cast", instead(">copytoraw<", ">7<")),
    "a parameter that is a list": ("cast", instead(">copytoraw<", ">[1]<")),
    "a command that is a number": ("cast", instead(">hifa_restoredata<", ">7<")),
    "a disk name that is a number": ("asdm_disk_name", instead(f">{FIRST.file_form}<", ">7<")),
    "a type that is a number": ("cast", instead('entityTypeName="OUSStatus"', 'entityTypeName="7"')),
    "a keyword of Python's": ("intent_keyword", instead(">PROCESS<", ">__class__<")),
    "two titles": ("count", instead("<ObsUnitSetType", '<ObsUnitSetTitle xmlns="">b</ObsUnitSetTitle><ObsUnitSetType')),
    "two values of an intent": ("count", instead('<Value xmlns="">true</Value>', "<Value>true</Value>" * 2)),
    "two commands in one": ("count", instead("<Command>hifa_restoredata</Command>", "<Command>h_init</Command>" * 2)),
    "two summaries": ("count", instead(within("ProjectSummary"), within("ProjectSummary") * 2)),
    "both layouts at once": (
        "count",
        instead("<AlmaStructure>", '<OUSStatusRef entityId="uid://A001/X1/X2"/><AlmaStructure>'),
    ),
    "a block without its UID": (
        "count",
        instead("<ns7:ExecBlockId>", "<ns7:Id>").replace(b"ns7:ExecBlockId>", b"ns7:Id>"),
    ),
    "a value of spaces": ("padding", instead("<Value>False</Value>", "<Value>  </Value>")),
    "a title of a reference to a character": (
        "characters",
        instead("Undefined</ObsUnitSetTitle>", "a&#10;b</ObsUnitSetTitle>"),
    ),
    "an empty title": ("empty", instead(">hifa_restore<", "><")),
    "a numeric title": ("cast", instead(">hifa_restore<", ">2019<")),
}


@pytest.mark.parametrize(("rule", "data"), MISWRITTEN.values(), ids=MISWRITTEN)
def test_a_file_that_would_be_misread_is_refused(rule: str, data: bytes) -> None:
    with pytest.raises(PprError) as refused:
        read_ppr(data)

    assert refused.value.rule == rule


def test_every_rule_has_a_case() -> None:
    folder = Path(ppr.__file__).parent
    calls = [node for path in folder.glob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    rules = {
        node.args[0].value
        for node in calls
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "PprError"
        and isinstance(node.args[0], ast.Constant)
    }

    assert rules == {rule for rule, _ in [*BROKEN.values(), *MISWRITTEN.values()]}


@pytest.mark.parametrize("name", sorted(name for name, (rule, _) in MISWRITTEN.items() if rule != "xml"))
def test_what_is_refused_is_foretold_as_something_that_goes_wrong(name: str) -> None:
    """The two judges agree, but for texts that only look otherwise than they are."""
    harmless = {
        *("a time in words", "a value of spaces", "a title of a reference to a character"),
        *("a number that older Pythons read as a text", "a number that newer Pythons read as infinity"),
    }
    found = foresee(MISWRITTEN[name][1])

    assert (found.ending is not Ending.RUNS or bool(found.notes)) is (name not in harmless)
