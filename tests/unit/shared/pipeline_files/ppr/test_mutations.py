"""Whatever is done to a request: if it is read, the pipeline sees in it just what we do."""

from collections.abc import Callable
from copy import deepcopy
from random import Random

import pytest
from lxml import etree

from shared.pipeline_files.ppr import PprError, ProcessingRequest, read_ppr
from shared.pipeline_files.ppr.foresight import foresee
from shared.pipeline_files.ppr.reading import Ending
from tests.support.pipeline_view import UnseenError, look
from tests.unit.shared.pipeline_files.ppr.sample_ppr import FIRST, THIRD, WHOLE

SEEDS = range(1200)
TEXTS = (
    *("", " ", "None", "none", "true", "FALSE", "1", "1e5", "1_0", "nan", "[1, 2]", "[", "('a',)", "{}", "0x10", "+7"),
    *("session_1", "SESSION_1", "SESSION_4", "SESSION_01", f"{FIRST} | {THIRD}", f"{FIRST},{THIRD}", f"{THIRD} |"),
    *("hifa_exportdata", "hif_restoredata", "copytoraw", "vis", "__class__", "uid___A002_Xc7111c_X3979", "a\tb"),
    *("-" * 4000 + "1", "a" + "(" * 99, "{[]: 1}", " [1]", "[1", "{'a': 1}", "1" * 5000, "１２", "breakpoint"),
    *(f"{FIRST.file_form}.ms", f"{FIRST.file_form}.asdm.sdm", str(FIRST), str(FIRST).upper(), "..", "/a", "a//b"),
)

NAMES = (
    *("getValue", "setValue", "ownerDocument", "attributes", "class", "print", "Été", "a.b", "a-b", "_", "x_obj"),
    *("Value_obj", "Keyword_obj", "Intents_obj", "AsdmIdentifier_obj", "RelativePath_obj"),
)
ENCODINGS = ("UTF-16", "ISO-8859-1", "US-ASCII", "windows-1252", "GB2312", "EUC-JP", "UTF-32")


def _any(root: etree._Element, random: Random) -> etree._Element:
    return random.choice([each for each in root.iter(etree.Element) if each is not root])


def _leaf(root: etree._Element, random: Random) -> etree._Element:
    return random.choice([each for each in root.iter(etree.Element) if not len(each)])


def remove(root: etree._Element, random: Random) -> None:
    remove_it(_any(root, random))


def repeat(root: etree._Element, random: Random) -> None:
    found = _any(root, random)
    found.addnext(deepcopy(found))


def say_otherwise(root: etree._Element, random: Random) -> None:
    _leaf(root, random).text = random.choice(TEXTS)


def comment(root: etree._Element, random: Random) -> None:
    found = _any(root, random)
    found.insert(random.randint(0, len(found)), etree.Comment("a remark"))


def instruct(root: etree._Element, random: Random) -> None:
    found = _any(root, random)
    found.insert(random.randint(0, len(found)), etree.ProcessingInstruction("a", "b"))


def wrap(root: etree._Element, random: Random) -> None:
    found = _leaf(root, random)
    found.text = etree.CDATA(found.text or "")


def rename(root: etree._Element, random: Random) -> None:
    found = _any(root, random)
    found.tag = random.choice(["Value", "Keyword", "Extra", "a.b", etree.QName(found).localname.lower()])


def move(root: etree._Element, random: Random) -> None:
    found, place = _any(root, random), _any(root, random)
    if place not in list(found.iter()):
        place.append(found)


def reorder(root: etree._Element, random: Random) -> None:
    parent = random.choice([each for each in root.iter(etree.Element) if len(each) > 1])
    parent.append(parent[0])


def requalify(root: etree._Element, random: Random) -> None:
    found = _any(root, random)
    found.tag = f"{{Somebody/Elses}}{etree.QName(found).localname}"


def readdress(root: etree._Element, random: Random) -> None:
    found = random.choice([each for each in root.iter(etree.Element) if each.attrib])
    found.set(random.choice(sorted(found.attrib)), random.choice(TEXTS).strip("\t"))


def add(root: etree._Element, random: Random) -> None:
    found = etree.Element(random.choice(NAMES))
    found.text = random.choice([None, "a"])
    parent = random.choice(list(root.iter(etree.Element)))
    parent.insert(random.randint(0, len(parent)), found)


def unwrap(root: etree._Element, random: Random) -> None:
    found = random.choice([each for each in root.iter(etree.Element) if len(each) and each is not root])
    for child in list(found):
        found.addnext(child)
    remove_it(found)


def remove_it(element: etree._Element) -> None:
    element.getparent().remove(element)  # type: ignore[union-attr]  # it is not the root


MUTATIONS: tuple[Callable[[etree._Element, Random], None], ...] = (
    *(remove, repeat, say_otherwise, say_otherwise, comment, instruct, wrap, rename, move, reorder),
    *(requalify, readdress, add, add, unwrap),
)


def mutated(seed: int) -> bytes:
    """Do one or two things to the sample."""
    random = Random(seed)
    root = etree.fromstring(WHOLE.encode())
    for _ in range(random.randint(1, 2)):
        random.choice(MUTATIONS)(root, random)
    encoding = random.choice(ENCODINGS) if random.random() < 0.1 else "UTF-8"
    try:
        return bytes(etree.tostring(root, xml_declaration=True, encoding=encoding))  # type: ignore[arg-type]  # bytes
    except UnicodeEncodeError:
        return mutated(seed + len(SEEDS))


def foreseen(data: bytes) -> object:
    """Say whether and how the pipeline runs a request, as it is foretold."""
    try:
        foresight = foresee(data)
    except PprError:
        return None
    if foresight.ending is not Ending.RUNS:
        return None
    return foresight.relative_path, dict(foresight.sessions), [step.task for step in foresight.steps]


def seen(data: bytes) -> object:
    """Say the same as it is seen step by step."""
    try:
        found = look(data)
    except UnseenError:
        return None
    tasks = [str(name) for name, _ in found.tasks if name != "breakpoint"]
    return found.path, {str(asdm): session for asdm, session in found.sessions.items()}, tasks


def agrees(request: ProcessingRequest, data: bytes) -> bool:
    """Whether the pipeline sees what the model says."""
    found = look(data)
    return (
        found.path == request.sched_block.relative_path
        and found.mous_uid == request.structure.mous_uid
        and found.sessions == {block.file_form: request.session_of(block) for block in request.execution_blocks}
        and found.tasks
        == [
            (command.task, {parameter.keyword: parameter.value for parameter in command.parameters})
            for command in request.procedure.commands
        ]
    )


@pytest.mark.parametrize("part", range(10))
def test_what_is_read_of_a_mutated_request_is_what_the_pipeline_sees(part: int) -> None:
    accepted = 0
    for seed in SEEDS[part::10]:
        data = mutated(seed)
        try:
            request = read_ppr(data)
        except PprError:
            continue
        accepted += 1
        assert agrees(request, data), f"seed {seed}:\n{data.decode()}"

    assert accepted > 10


@pytest.mark.parametrize("part", range(10))
def test_what_is_foretold_of_a_mutated_request_is_what_the_pipeline_does(part: int) -> None:
    for seed in SEEDS[part::10]:
        data = mutated(seed)

        assert foreseen(data) == seen(data), f"seed {seed}:\n{data.decode()}"
