"""Packages without a manifest: one is built from names and script where nothing is in doubt, else it is refused."""

from collections.abc import Iterable

import pytest

from contracts.identifiers import ExecBlockUid, MousUid
from shared.pipeline_files.manifest import ManifestError, PipelineManifest, read_manifest
from shared.pipeline_files.manifest_built import build_manifest, built_name, check_age, write_manifest
from shared.pipeline_files.restore_script import RestoreScript, read_restore_script

MOUS = MousUid("uid://A001/X87c/X69")
FIRST = ExecBlockUid("uid://A002/Xba0af7/X6409")
SECOND = ExecBlockUid("uid://A002/Xba0af7/X6ac1")
HEAD = "__rethrow_casa_exceptions = True\nh_init()\ntry:\n    "
TAIL = "\nfinally:\n    h_save()\n"


def script(call: str) -> RestoreScript:
    return read_restore_script(f"{HEAD}{call}{TAIL}".encode())


BOTH = script(
    f"hif_restoredata (vis=['../rawdata/{FIRST.file_form}', '{SECOND.file_form}.ms'], "
    "session=['session_1', 'session_2'], ocorr_mode='ca')"
)


def package(sessions: Iterable[int] = (1, 2), blocks: Iterable[ExecBlockUid] = (FIRST, SECOND)) -> list[str]:
    return [
        "antennapos.csv",
        "flux.csv",
        f"{MOUS.file_form}.cont.dat",
        *(f"{MOUS.file_form}.session_{number}.caltables.tgz" for number in sessions),
        *(f"{block.file_form}.ms.{kind}" for block in blocks for kind in ("flagversions.tgz", "calapply.txt")),
    ]


def build(names: list[str], by: RestoreScript | None = None) -> PipelineManifest:
    return build_manifest(mous_uid=MOUS, names=names, script=by, casa_version="4.7.2")


def test_sessions_are_those_of_the_script() -> None:
    made = build(package(), BOTH)

    assert made.blocks_by_session == {"session_1": (FIRST,), "session_2": (SECOND,)}
    assert made.find(SECOND)[0].caltables == "uid___A001_X87c_X69.session_2.caltables.tgz"
    assert made.find(SECOND)[1].flagversions == "uid___A002_Xba0af7_X6ac1.ms.flagversions.tgz"


def test_without_a_script_one_session_leaves_no_doubt() -> None:
    assert build(package([2])).blocks_by_session == {"session_2": (FIRST, SECOND)}


@pytest.mark.parametrize(
    ("task", "procedure"), [("hif_restoredata", None), ("hifa_restoredata", None), ("hsd_restoredata", "hsd")]
)
def test_a_script_tells_single_dish_from_interferometry(task: str, procedure: str | None) -> None:
    by = script(f"{task}(vis=['{FIRST.file_form}', '{SECOND.file_form}'])")

    assert build(package([1]), by).procedure == procedure


def test_a_script_without_sessions_is_as_good_as_none() -> None:
    by = script(f"hif_restoredata(vis=['{FIRST.file_form}', '{SECOND.file_form}'])")

    assert build(package([1]), by).blocks_by_session == {"session_1": (FIRST, SECOND)}
    with pytest.raises(ManifestError, match="nothing says in which of session_1, session_2"):
        build(package([1, 2]), by)


def test_what_is_built_is_read_as_what_it_is() -> None:
    made = build([f"member.{name}" if "session" in name else name for name in package()], BOTH)

    assert read_manifest(write_manifest(made)) == made
    assert built_name(MOUS) == "uid___A001_X87c_X69.built.pipeline_manifest.xml"


@pytest.mark.parametrize(
    ("names", "by", "said"),
    [
        (package(sessions=[]), BOTH, "none of the products is a session's caltables"),
        (package(blocks=[]), None, "nothing|none of the products is that of a block"),
        (package(), None, "nothing says in which of session_1, session_2"),
        (package(sessions=[1]), BOTH, "of caltables of session_2 there are none"),
        (package(blocks=[FIRST]), BOTH, f"of flag versions of {SECOND} there are none"),
        ([name for name in package() if "calapply" not in name], BOTH, "of applycal calls of .* there are none"),
        (package(blocks=[FIRST, SECOND, ExecBlockUid("uid://A002/X1/X2")]), BOTH, "products of uid://A002/X1/X2 too"),
        (
            [*package(), f"{MOUS.file_form}.session_1.caltables.tar.gz"],
            BOTH,
            "caltables of session_1 there are .*tar.gz",
        ),
    ],
)
def test_whatever_is_in_doubt_is_refused(names: list[str], by: RestoreScript | None, said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        build(names, by)


def test_the_casa_in_operation_is_taken_for_packages_that_do_not_say_it() -> None:
    assert check_age("4.7.2") == "4.7.2"


@pytest.mark.parametrize(("casa", "said"), [(None, "not known which CASA"), ("5.1.1-5", "5.1.1-5 have one")])
def test_packages_that_should_have_a_manifest_are_refused(casa: str | None, said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        check_age(casa)


def test_steps_besides_the_restore_are_named() -> None:
    assert script("hifa_restoredata(vis=['uid___A002_X1_X2'])").other_calls == ()
    assert script("fixsyscaltimes(vis='a')\n    hifa_restoredata(vis=['uid___A002_X1_X2'])").other_calls == (
        "fixsyscaltimes",
    )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("print 'hello'", "no Python that can be parsed"),
        ("pass", "calls 0 restores"),
        ("hifa_restoredata(vis=['uid___A002_X1_X2']); hsd_restoredata(vis=['uid___A002_X1_X3'])", "calls 2 restores"),
        ("hifa_restoredata(vis=open('/etc/passwd').readlines())", "vis is no literal"),
        ("hifa_restoredata(vis=7)", "vis is 7, not a list of names"),
        ("hifa_restoredata()", "has vis None"),
        ("hifa_restoredata(vis=['uid___A002_X1_X2'], session=[])", "one session per block"),
        ("hifa_restoredata(vis=['uid___A002_X1_X2', 'uid___A002_X1_X2'])", "names a block twice"),
        ("hifa_restoredata(vis=['NGC253'])", "is not an ALMA UID"),
        ("hifa_restoredata(vis=['uid___A002_X1_X2'], session=['1'])", "is not a session name"),
    ],
)
def test_a_script_that_is_not_understood_is_refused(call: str, said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        script(call)


def test_a_script_is_never_run() -> None:
    with pytest.raises(ManifestError):
        read_restore_script(b"raise SystemExit(1)")
    with pytest.raises(ManifestError, match="bytes, which no restore script has"):
        read_restore_script(b"#" * 2**21)
