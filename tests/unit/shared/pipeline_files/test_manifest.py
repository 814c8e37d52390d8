"""The manifest is read as the pipeline's restore reads it, and what that would trip over is refused."""

import pytest

from contracts.identifiers import ExecBlockUid, MousUid
from contracts.reasons import ReasonCode
from shared.pipeline_files import ManifestError, read_manifest

MOUS = "uid___A001_X1284_X265f"
FIRST = "uid___A002_Xc7111c_X3979"
THIRD = "uid___A002_Xc7111c_X86a7"
ASDM = (
    '<asdm name="{eb}.ms" datatype="asdm"><finalflags name="{eb}.ms.flagversions.tgz"/>'
    '<applycmds name="{eb}.ms.calapply.txt"/><image name="x.fits" level="member"/></asdm>'
)


def session(number: int, *blocks: str, caltables: str = '<caltables name="{name}"/>') -> str:
    tar = caltables.format(name=f"{MOUS}.session_{number}.caltables.tgz")
    return f'<session name="session_{number}">{tar}{"".join(ASDM.format(eb=eb) for eb in blocks)}</session>'


WHOLE = (
    f'<?xml version="1.0" ?><piperesults name="{MOUS}"><ous name="{MOUS}"><casaversion name="6.6.6-17"/>'
    '<pipeline_version name="2025.1.0.35"/><procedure_name name="hifa_calimage"/>'
    f"{session(1, FIRST)}{session(3, THIRD)}"
    '<weblog name="a.weblog.tgz"/></ous></piperesults>'
)


def test_a_manifest_tells_versions_sessions_and_files() -> None:
    manifest = read_manifest(WHOLE.encode())

    assert manifest.mous_uid == MousUid(MOUS)
    assert (manifest.casa_version, manifest.pipeline_version) == ("6.6.6-17", "2025.1.0.35")
    assert manifest.procedure == "hifa_calimage"
    assert manifest.blocks_by_session == {
        "session_1": (ExecBlockUid(FIRST),),
        "session_3": (ExecBlockUid(THIRD),),
    }


def test_an_execution_block_is_found_with_its_session() -> None:
    found, asdm = read_manifest(WHOLE.encode()).find(ExecBlockUid(THIRD))

    assert (found.name, found.caltables) == ("session_3", f"{MOUS}.session_3.caltables.tgz")
    assert asdm.ms_name == f"{THIRD}.ms"
    assert (asdm.flagversions, asdm.calapply) == (f"{THIRD}.ms.flagversions.tgz", f"{THIRD}.ms.calapply.txt")


def test_an_execution_block_that_was_not_calibrated_is_not_found() -> None:
    with pytest.raises(ManifestError, match="does not list uid://A002/X1/X2"):
        read_manifest(WHOLE.encode()).find(ExecBlockUid("uid://A002/X1/X2"))


def test_versions_of_pipeline_and_procedure_may_be_missing() -> None:
    text = WHOLE.replace('<pipeline_version name="2025.1.0.35"/><procedure_name name="hifa_calimage"/>', "")

    manifest = read_manifest(text.encode())

    assert (manifest.pipeline_version, manifest.procedure) == (None, None)


@pytest.mark.parametrize(
    ("nodes", "servers"),
    [
        ('<node num_mpi_servers="0"/>', 0),
        ('<node num_mpi_servers="7"/><node num_mpi_servers="8"/>', 15),
        ('<node num_mpi_servers="N/A"/>', None),
        ("<node/>", None),
        ("", None),
    ],
)
def test_standard_and_mpi_casa_are_told_apart(nodes: str, servers: int | None) -> None:
    environment = f"<execution_environment>{nodes}</execution_environment>"
    text = WHOLE.replace("<procedure_name", f"{environment}<procedure_name")

    assert read_manifest(text.encode()).mpi_servers == servers
    assert read_manifest(WHOLE.encode()).mpi_servers is None


def test_a_session_without_execution_blocks_is_passed_over() -> None:
    text = WHOLE.replace(session(3, THIRD), session(2, caltables="") + session(3, THIRD))

    assert list(read_manifest(text.encode()).blocks_by_session) == ["session_1", "session_3"]


def without(part: str) -> str:
    assert part in WHOLE
    return WHOLE.replace(part, "", 1)


def instead(old: str, new: str) -> str:
    assert old in WHOLE
    return WHOLE.replace(old, new, 1)


REFUSED: dict[str, tuple[str, str]] = {
    "no XML": ("not well-formed", "manifest"),
    "an empty file": ("not well-formed", ""),
    "a document type": ("DOCTYPE", instead("<piperesults", "<!DOCTYPE x><piperesults")),
    "an entity": ("DOCTYPE", instead("<piperesults", '<!DOCTYPE x [<!ENTITY a "b">]><piperesults')),
    "nesting without end": ("nested more than", instead("<weblog", "<a>" * 100 + "</a>" * 100 + "<weblog")),
    "another document": ("no pipeline manifest", WHOLE.replace("piperesults", "SciPipeRequest")),
    "two OUS": ("has 2 <ous>", instead("</piperesults>", f'<ous name="{MOUS}"/></piperesults>')),
    "an OUS that is no MOUS": ("not named after a MOUS", instead(f'<ous name="{MOUS}"', '<ous name="a"')),
    "no CASA version": ("0 <casaversion>", without('<casaversion name="6.6.6-17"/>')),
    "an empty CASA version": ("has no name", instead("6.6.6-17", " ")),
    "no caltables": ("0 <caltables>", instead(session(3, THIRD), session(3, THIRD, caltables=""))),
    "two caltables": (
        "2 <caltables>",
        instead(session(3, THIRD), session(3, THIRD, caltables='<caltables name="{name}"/>' * 2)),
    ),
    "no flag versions": ("0 <finalflags>", without(f'<finalflags name="{FIRST}.ms.flagversions.tgz"/>')),
    "no calapply": ("0 <applycmds>", without(f'<applycmds name="{FIRST}.ms.calapply.txt"/>')),
    "a block without .ms": ("has to be named", instead(f'asdm name="{FIRST}.ms"', f'asdm name="{FIRST}"')),
    "a block in upper case": ("has to be named", instead(f'asdm name="{FIRST}.ms"', f'asdm name="{FIRST.upper()}.ms"')),
    "a target MS as block": ("not named after", instead(f'asdm name="{FIRST}.ms"', f'asdm name="{FIRST}_target.ms"')),
    "a block in two sessions": (
        "more than once as execution block",
        WHOLE.replace(session(3, THIRD), session(3, FIRST)),
    ),
    "a session twice": ("more than once as session", WHOLE.replace(session(3, THIRD), session(1, THIRD))),
    "no block": ("no session lists", without(session(1, FIRST)).replace(session(3, THIRD), "")),
    "a path as file": ("not a bare file name", instead(f"{FIRST}.ms.calapply.txt", "../../etc/passwd")),
}


@pytest.mark.parametrize(("said", "text"), REFUSED.values(), ids=REFUSED)
def test_what_a_restore_would_trip_over_is_refused(said: str, text: str) -> None:
    with pytest.raises(ManifestError, match=said) as refused:
        read_manifest(text.encode())

    assert refused.value.reason is ReasonCode.MANIFEST_UNREADABLE


def test_entities_are_not_expanded_on_the_way_to_the_refusal() -> None:
    laughs = "".join(f'<!ENTITY a{i + 1} "{f"&a{i};" * 10}">' for i in range(30))
    text = f'<!DOCTYPE x [<!ENTITY a0 "ha">{laughs}]><piperesults>&a30;</piperesults>'

    with pytest.raises(ManifestError):
        read_manifest(text.encode())


def test_a_document_above_the_limit_is_not_parsed() -> None:
    with pytest.raises(ManifestError, match="more than the 16777216 that are read"):
        read_manifest(b"<a>" + b" " * (16 * 2**20) + b"</a>")
