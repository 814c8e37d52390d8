"""Inputs that do not fit together end their block with the reason, and nothing is ordered."""

import re
from collections.abc import Callable

import pytest

from contracts.identifiers import ExecBlockUid, SessionName
from contracts.messages import RestoreFailed
from contracts.messages.parts import LackingProduct, Session
from contracts.reasons import ReasonCode
from tests.support.archives import tgz
from tests.unit.services.ppr_builder.demo import ALL, DEMO, FIRST, FOURTH, SESSIONS, THIRD
from tests.unit.services.ppr_builder.desk import MANIFEST_NAME, MOUS, Desk, calapply, manifest, rename, tables


def with_file(name: str, data: bytes) -> Callable[[Desk], None]:
    def change(desk: Desk) -> None:
        desk.files[name] = data

    return change


def without(name: str) -> Callable[[Desk], None]:
    """Let the fetcher have told that it could not have a file."""

    def change(desk: Desk) -> None:
        detail = f"{name}: not on ngas:7777"
        desk.files.pop(name)
        desk.lacking = (LackingProduct(name=name, reason=ReasonCode.FILE_NOT_IN_ARCHIVE, detail=detail),)

    return change


def with_sessions(*sessions: tuple[int, tuple[ExecBlockUid, ...]]) -> Callable[[Desk], None]:
    def change(desk: Desk) -> None:
        made = tuple(Session(name=SessionName.numbered(number), execution_blocks=blocks) for number, blocks in sessions)
        desk.structure = DEMO.model_copy(update={"sessions": made})

    return change


REFUSED: dict[str, tuple[ReasonCode, str, Callable[[Desk], None]]] = {
    "no manifest": (ReasonCode.MANIFEST_UNREADABLE, "no pipeline manifest", rename(MANIFEST_NAME, None)),
    "a broken manifest": (
        ReasonCode.MANIFEST_UNREADABLE,
        "not well-formed",
        with_file(MANIFEST_NAME, b"<piperesults>"),
    ),
    "a manifest of another MOUS": (
        ReasonCode.MANIFEST_UNREADABLE,
        "not of uid://A001/X1284/X265f",
        with_file(MANIFEST_NAME, manifest(mous="uid___A001_X1_X2")),
    ),
    "two manifests": (
        ReasonCode.MANIFEST_UNREADABLE,
        "several",
        with_file(f"{MOUS}.hifa_calsurvey.pipeline_manifest.xml", manifest({1: (THIRD,)})),
    ),
    "sessions joined in the tables": (
        ReasonCode.SESSIONS_DISAGREE,
        "session_1 = uid://A002/Xc7111c/X3979, .*in the pipeline manifest: session_1 = ",
        with_sessions((1, ALL)),
    ),
    "the empty session lost": (ReasonCode.SESSIONS_DISAGREE, "", with_sessions((1, SESSIONS[1]), (2, SESSIONS[3]))),
    "a gap in the numbers": (ReasonCode.SESSIONS_DISAGREE, "", with_sessions((1, SESSIONS[1]), (3, SESSIONS[3]))),
    "a block less in the tables": (
        ReasonCode.SESSIONS_DISAGREE,
        "session_2 = none",
        with_sessions((1, (FIRST,)), (2, ()), (3, SESSIONS[3])),
    ),
    "a block less in the manifest": (
        ReasonCode.SESSIONS_DISAGREE,
        "",
        with_file(MANIFEST_NAME, manifest({1: (FIRST,), 3: (THIRD, FOURTH)})),
    ),
    "no calibration tables": (
        ReasonCode.PRODUCTS_INCOMPLETE,
        f"not staged: {MOUS}.session_3.caltables.tgz;",
        rename(f"member.{MOUS}.session_3.caltables.tgz", None),
    ),
    "calibration tables that the archive lost": (
        ReasonCode.FILE_NOT_IN_ARCHIVE,
        f"^member.{MOUS}.session_3.caltables.tgz: not on ngas:7777; the pipeline manifest lists it$",
        without(f"member.{MOUS}.session_3.caltables.tgz"),
    ),
    "calibration tables of another calibration only": (
        ReasonCode.PRODUCTS_INCOMPLETE,
        f"not staged: {MOUS}.session_3.caltables.tgz;",
        rename(f"member.{MOUS}.session_3.caltables.tgz", f"member.{MOUS}.session_3.caltables.tar.gz"),
    ),
    "no flag versions": (
        ReasonCode.PRODUCTS_INCOMPLETE,
        f"not staged: {THIRD.file_form}.ms.flagversions.tgz;",
        rename(f"{THIRD.file_form}.ms.flagversions.tgz", None),
    ),
    "no calapply": (
        ReasonCode.PRODUCTS_INCOMPLETE,
        f"not staged: {THIRD.file_form}.ms.calapply.txt;",
        rename(f"{THIRD.file_form}.ms.calapply.txt", None),
    ),
    "two different tars under one name": (
        ReasonCode.PRODUCTS_INCOMPLETE,
        "different contents",
        with_file(f"{MOUS}.session_3.caltables.tgz", b"other tables"),
    ),
    "a table that is not in the tar": (
        ReasonCode.CALTABLE_DAMAGED,
        "session_3.caltables.tgz lacks or holds empty .*X86a7.ms.a.tbl; it holds .*X2dfe.ms.a.tbl",
        with_file(f"member.{MOUS}.session_3.caltables.tgz", tgz(f"{FOURTH.file_form}.ms.a.tbl/table.dat")),
    ),
    "a tar that is cut": (
        ReasonCode.CALTABLE_DAMAGED,
        "session_3.caltables.tgz cannot be read",
        with_file(f"member.{MOUS}.session_3.caltables.tgz", tables(3)[:-3]),
    ),
    "flags without the version that is restored": (
        ReasonCode.CALTABLE_DAMAGED,
        "flags.Pipeline_Final",
        with_file(
            f"{THIRD.file_form}.ms.flagversions.tgz", tgz(f"{THIRD.file_form}.ms.flagversions/flags.Original/table.dat")
        ),
    ),
    "a calapply with fewer fields than tables": (
        ReasonCode.CALAPPLY_INVALID,
        "one_length",
        with_file(f"{THIRD.file_form}.ms.calapply.txt", calapply(THIRD).replace(b"gainfield=''", b"gainfield=[]")),
    ),
    "a calapply of another block": (
        ReasonCode.CALAPPLY_INVALID,
        "line 1",
        with_file(f"{THIRD.file_form}.ms.calapply.txt", calapply(FIRST)),
    ),
}


@pytest.mark.parametrize(("reason", "said", "change"), REFUSED.values(), ids=REFUSED)
def test_inputs_that_do_not_fit_end_the_block_with_the_reason(
    desk: Desk, reason: ReasonCode, said: str, change: Callable[[Desk], None]
) -> None:
    change(desk)

    failure = desk.failure().failure

    assert failure.reason is reason
    assert re.search(said, failure.detail), failure.detail
    assert not list(desk.objects.list("ppr/"))


def test_a_product_that_left_the_store_since_it_was_staged_is_missed(desk: Desk) -> None:
    event = desk.staged()
    desk.objects.delete(f"calibration/member.{MOUS}.session_3.caltables.tgz")

    answers = desk.handle(event)

    assert isinstance(answers[0].data, RestoreFailed)
    assert answers[0].data.failure.reason is ReasonCode.PRODUCTS_INCOMPLETE


@pytest.mark.parametrize("name", [f"{MOUS}.session_3.caltables.tar.gz", f"{MOUS}.session_1.caltables.tgz"])
def test_a_product_that_the_archive_lost_is_not_missed_if_the_manifest_does_not_list_it_for_the_block(
    desk: Desk, name: str
) -> None:
    before = desk.order()
    desk.lacking = (LackingProduct(name=name, reason=ReasonCode.FILE_NOT_IN_ARCHIVE, detail="not on ngas:7777"),)

    assert desk.order() == before
