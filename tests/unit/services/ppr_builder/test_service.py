"""The ppr-builder orders a restore from inputs that fit together, and says why not where they do not."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from uuid import UUID

import pytest

from contracts.envelope import Event
from contracts.identifiers import ExecBlockUid, SessionName
from contracts.messages import ArtefactsStaged, RequestFailed, RestoreFailed, RestoreOrdered
from contracts.messages.parts import (
    CasaBasis,
    CasaChoice,
    MousStructure,
    NamedRef,
    ObjectRef,
    ProductFile,
    ProductKind,
    RestoreRequest,
    Selection,
    Session,
    Stage,
)
from contracts.reasons import ReasonCode
from services.ppr_builder.service import PprBuilder, build
from services.ppr_builder.settings import PprBuilderSettings
from shared.objects.directory import DirectoryStore
from shared.pipeline_files import read_manifest
from shared.pipeline_files.ppr import read_ppr
from tests.support.archives import tgz
from tests.support.delivery import RecordingDelivery
from tests.support.samples import REQUEST, WHEN
from tests.unit.services.ppr_builder.demo import ALL, DEMO, FIRST, FOURTH, SESSIONS, THIRD

MOUS = DEMO.mous_uid.file_form
ASDM = ObjectRef(key="asdm/x/manifest.json", size=10, sha256="b" * 64)
MANIFEST_NAME = f"member.{MOUS}.hifa_calimage.pipeline_manifest.xml"


def manifest(sessions: Mapping[int, tuple[ExecBlockUid, ...]] = SESSIONS, mous: str = MOUS) -> bytes:
    told = "".join(
        f'<session name="session_{number}"><caltables name="{MOUS}.session_{number}.caltables.tgz"/>'
        + "".join(
            f'<asdm name="{eb.file_form}.ms"><finalflags name="{eb.file_form}.ms.flagversions.tgz"/>'
            f'<applycmds name="{eb.file_form}.ms.calapply.txt"/></asdm>'
            for eb in blocks
        )
        + "</session>"
        for number, blocks in sessions.items()
    )
    return (
        f'<piperesults name="{mous}"><ous name="{mous}"><casaversion name="6.6.6-17"/>'
        f'<pipeline_version name="2025.1.0.35"/>{told}</ous></piperesults>'
    ).encode()


def calapply(eb: ExecBlockUid) -> bytes:
    return (
        f"applycal(vis='{eb.file_form}.ms', field='HLX_Target', intent='TARGET', spw='0', antenna='', "
        f"gaintable='{eb.file_form}.ms.a.tbl', gainfield='', spwmap=[], interp='', calwt=True)\n"
    ).encode()


@cache
def tables(session: int) -> bytes:
    return tgz(*(f"{eb.file_form}.ms.a.tbl/table.dat" for eb in SESSIONS[session]))


@cache
def flags(eb: ExecBlockUid) -> bytes:
    return tgz(f"{eb.file_form}.ms.flagversions/flags.Pipeline_Final/table.dat")


def products() -> dict[str, bytes]:
    """Everything that the archive holds of the demo's calibration, by its names."""
    found = {MANIFEST_NAME: manifest(), f"member.{MOUS}.hifa_calimage.pprequest.xml": b"<SciPipeRequest/>"}
    for number, blocks in SESSIONS.items():
        found[f"member.{MOUS}.session_{number}.caltables.tgz"] = tables(number)
        for eb in blocks:
            found[f"{eb.file_form}.ms.flagversions.tgz"] = flags(eb)
            found[f"{eb.file_form}.ms.calapply.txt"] = calapply(eb)
    return found


class Desk:
    """A builder over a real store, with what is staged in it."""

    def __init__(self, folder: Path) -> None:
        self.objects = DirectoryStore(folder)
        self.service = build(objects=self.objects, settings=PprBuilderSettings())
        self.files = products()
        self.structure: MousStructure = DEMO

    def staged(self, eb: ExecBlockUid = THIRD, request: RestoreRequest = REQUEST) -> Event:
        refs = tuple(
            NamedRef(name=name, ref=self.objects.put_bytes(f"calibration/{name}", data))
            for name, data in self.files.items()
        )
        message = ArtefactsStaged(request=request, structure=self.structure, eb_uid=eb, asdm=ASDM, products=refs)
        return Event.first(message, source="/test").model_copy(update={"time": WHEN})

    def handle(self, event: Event) -> list[Event]:
        return self.service.handle(event, RecordingDelivery())

    def order(self, eb: ExecBlockUid = THIRD, request: RestoreRequest = REQUEST) -> RestoreOrdered:
        (answer,) = self.handle(self.staged(eb, request))
        assert isinstance(answer.data, RestoreOrdered)
        return answer.data

    def failure(self, eb: ExecBlockUid = THIRD) -> RestoreFailed:
        answers = self.handle(self.staged(eb))
        assert isinstance(answers[0].data, RestoreFailed)
        assert answers[0].data.failure.stage is Stage.PREPARE
        return answers[0].data


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_staged_block_is_ordered_with_the_versions_of_its_calibration(desk: Desk) -> None:
    order = desk.order()

    assert (order.casa_version, order.pipeline_version) == ("6.6.6-17", "2025.1.0.35")
    assert (order.eb_uid, order.session, order.asdm) == (THIRD, "session_3", ASDM)


def test_the_manifest_decides_which_casa_restores(desk: Desk) -> None:
    casa = desk.order().casa

    assert casa is not None
    assert (casa.version, casa.basis) == ("6.6.6-17", CasaBasis.MANIFEST)


def test_a_casa_that_no_table_knows_is_ordered_all_the_same(desk: Desk) -> None:
    desk.files[MANIFEST_NAME] = manifest().replace(b"6.6.6-17", b"99.1.2")

    assert (desk.order().casa_version, desk.order().casa) == ("99.1.2", None)


def test_only_what_the_block_needs_is_ordered_under_the_manifests_names(desk: Desk) -> None:
    order = desk.order()

    assert [product.name for product in order.products] == [
        f"{MOUS}.hifa_calimage.pipeline_manifest.xml",
        f"{MOUS}.session_3.caltables.tgz",
        f"{THIRD.file_form}.ms.flagversions.tgz",
        f"{THIRD.file_form}.ms.calapply.txt",
    ]
    assert desk.objects.read(order.products[1].ref) == tables(3)


def test_the_stored_request_keeps_the_blocks_session_number(desk: Desk) -> None:
    order = desk.order()

    ppr = read_ppr(desk.objects.read(order.ppr.ref))

    assert order.ppr.name == "PPR_uid___A001_X1284_X2660.xml"
    assert ppr.sessions == ((), (), (THIRD,))
    assert ppr.session_of(THIRD) == order.session
    assert ppr.execution_blocks == (THIRD,)


def test_the_same_event_again_gives_the_same_answer_and_the_same_bytes(desk: Desk) -> None:
    event = desk.staged()

    first, second = desk.handle(event), desk.handle(event)

    assert [answer.id for answer in first] == [answer.id for answer in second]
    assert [answer.data for answer in first] == [answer.data for answer in second]


def test_a_later_request_for_the_same_thing_finds_the_request_that_is_there(desk: Desk) -> None:
    first = desk.order()
    other = REQUEST.model_copy(update={"request_id": UUID(int=1), "user_name": "Jocelyn Bell", "ticket": "2"})
    event = desk.staged(request=other)

    (answer,) = desk.handle(event.model_copy(update={"time": WHEN + timedelta(days=3)}))

    assert isinstance(answer.data, RestoreOrdered)
    assert answer.data.restore_key == first.restore_key
    assert answer.data.ppr == first.ppr
    assert desk.objects.read(first.ppr.ref)


def test_another_selection_or_block_is_another_result(desk: Desk) -> None:
    selections = [(), ("J0321+1234",), ("J0321+1234", "J0510+1800"), ("J0510+1800", "J0321+1234")]
    requests = [REQUEST.model_copy(update={"selection": Selection(calibrator_fields=fields)}) for fields in selections]

    found = [desk.order(request=request).restore_key for request in requests]

    assert found[2] == found[3]
    assert len({*found, desk.order(eb=FOURTH).restore_key}) == 4


def test_a_title_that_the_pipeline_trips_over_is_replaced(desk: Desk) -> None:
    tree = DEMO.tree.model_copy(update={"obs_unit_set_title": "123", "sched_block_title": "NGC 253 <b>"})
    desk.structure = DEMO.model_copy(update={"tree": tree})

    ppr = read_ppr(desk.objects.read(desk.order().ppr.ref))

    assert (ppr.structure.obs_unit_set_title, ppr.sched_block.title) == ("Undefined", "NGC 253 <b>")


def rename(old: str, new: str | None) -> Callable[[Desk], None]:
    def change(desk: Desk) -> None:
        data = desk.files.pop(old)
        if new is not None:
            desk.files[new] = data

    return change


@pytest.mark.parametrize(
    "change",
    [
        rename(f"member.{MOUS}.session_3.caltables.tgz", f"{MOUS}.session_3.caltables.tgz"),
        rename(f"member.{MOUS}.session_3.caltables.tgz", f"member.{MOUS}.s3.caltables.tgz"),
        rename(f"{FIRST.file_form}.ms.calapply.txt", None),
    ],
    ids=["as the manifest says", "with the short session", "without files of other blocks"],
)
def test_names_that_the_archive_changed_are_found(desk: Desk, change: Callable[[Desk], None]) -> None:
    change(desk)

    assert len(desk.order().products) == 4


def with_file(name: str, data: bytes) -> Callable[[Desk], None]:
    def change(desk: Desk) -> None:
        desk.files[name] = data

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


SCRIPT_NAME = f"{MOUS}.casa_piperestorescript.py"


def script(sessions: Mapping[int, tuple[ExecBlockUid, ...]] = SESSIONS, steps: str = "") -> bytes:
    vis = [eb.file_form for blocks in sessions.values() for eb in blocks]
    names = [f"session_{number}" for number, blocks in sessions.items() for _ in blocks]
    return f"h_init()\n{steps}\nhif_restoredata(vis={vis}, session={names}, ocorr_mode='ca')\nh_save()\n".encode()


@pytest.fixture
def old(desk: Desk) -> Desk:
    """Stage a package of Cycle 4: names without ``member.``, no manifest."""
    del desk.files[MANIFEST_NAME]
    desk.files = {name.removeprefix("member."): data for name, data in desk.files.items()}
    desk.files[SCRIPT_NAME] = script()
    listed = tuple(ProductFile(file_id=name, kind=ProductKind.CALTABLES) for name in desk.files)
    casa = CasaChoice(version="4.7.2", image="casa-4.7.2-el6", basis=CasaBasis.INGESTED)
    desk.structure = DEMO.model_copy(update={"products": listed, "casa": casa})
    return desk


def test_a_manifest_is_built_for_a_package_that_has_none_and_the_log_says_so(
    old: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    order = old.order()

    assert [product.name for product in order.products] == [
        f"{MOUS}.built.pipeline_manifest.xml",
        f"{MOUS}.session_3.caltables.tgz",
        f"{THIRD.file_form}.ms.flagversions.tgz",
        f"{THIRD.file_form}.ms.calapply.txt",
    ]
    assert (order.casa_version, order.pipeline_version) == ("4.7.2", None)
    assert order.casa == old.structure.casa
    assert read_manifest(old.objects.read(order.products[0].ref)).blocks_by_session == {
        f"session_{number}": blocks for number, blocks in SESSIONS.items()
    }
    assert "manifest_built" in capsys.readouterr().out


def test_a_script_that_does_more_than_restore_is_told(old: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    old.files[SCRIPT_NAME] = script(steps="fixsyscaltimes(vis='a.ms')")

    old.order()

    assert "fixsyscaltimes" in capsys.readouterr().out


def test_sessions_of_the_script_have_to_be_those_of_the_tables(old: Desk) -> None:
    old.files[SCRIPT_NAME] = script({1: ALL})

    assert old.failure().failure.reason is ReasonCode.SESSIONS_DISAGREE


def test_no_manifest_is_built_where_sessions_are_in_doubt(old: Desk) -> None:
    del old.files[SCRIPT_NAME]

    failure = old.failure().failure

    assert failure.reason is ReasonCode.MANIFEST_UNREADABLE
    assert "nothing says in which of session_1, session_3" in failure.detail


def test_no_manifest_is_built_where_the_tables_list_one(old: Desk) -> None:
    listed = ProductFile(file_id=MANIFEST_NAME, kind=ProductKind.MANIFEST)
    old.structure = old.structure.model_copy(update={"products": (*old.structure.products, listed)})

    assert "no pipeline manifest was staged" in old.failure().failure.detail


def test_two_different_restore_scripts_are_refused(old: Desk) -> None:
    old.files[f"member.{SCRIPT_NAME}"] = script({1: ALL})

    assert "several restore scripts" in old.failure().failure.detail


def test_the_last_block_to_fail_ends_the_request_with_every_reason(desk: Desk) -> None:
    desk.files.pop(MANIFEST_NAME)

    answers = [desk.handle(desk.staged(eb)) for eb in ALL]

    assert [len(each) for each in answers] == [1, 1, 1, 2]
    conclusion = answers[-1][1].data
    assert isinstance(conclusion, RequestFailed)
    assert [failure.eb_uid for failure in conclusion.failures] == list(ALL)


def test_the_service_listens_to_staged_artefacts(desk: Desk) -> None:
    (subscription,) = desk.service.subscriptions()

    assert isinstance(desk.service, PprBuilder)
    assert (subscription.queue, subscription.topics) == ("ppr-builder", ("artefacts.staged",))
    assert subscription.concurrency == 4
