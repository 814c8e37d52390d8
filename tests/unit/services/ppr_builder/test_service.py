"""The ppr-builder orders a restore from inputs that fit together."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from contracts.messages import RequestFailed, RestoreOrdered
from contracts.messages.parts import CasaBasis, Selection
from services.ppr_builder.service import PprBuilder
from shared.pipeline_files.ppr import read_ppr
from tests.support.samples import REQUEST, WHEN
from tests.unit.services.ppr_builder.demo import ALL, DEMO, FIRST, FOURTH, THIRD
from tests.unit.services.ppr_builder.desk import ASDM, MANIFEST_NAME, MOUS, Desk, manifest, rename, tables


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


def test_of_staged_files_of_two_calibrations_those_that_the_manifest_lists_are_ordered(desk: Desk) -> None:
    others = {
        f"member.{MOUS}.session_3.caltables.tar.gz": b"tables of another calibration",
        f"member.{MOUS}.hifa_calimage_renorm.session_3.caltables.tgz": b"tables of a third",
        f"{THIRD.file_form}.ms.flagversions.tar.gz": b"flags of another calibration",
    }
    desk.files = {**others, **desk.files}

    order = desk.order()

    assert [product.name for product in order.products[1:3]] == [
        f"{MOUS}.session_3.caltables.tgz",
        f"{THIRD.file_form}.ms.flagversions.tgz",
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


@pytest.mark.parametrize(
    ("recipe", "task"), [("hifa_calimage", "hifa_restoredata"), ("hsd_calimage", "hsd_restoredata")]
)
def test_a_manifest_that_names_no_recipe_has_it_in_its_own_name(desk: Desk, recipe: str, task: str) -> None:
    rename(MANIFEST_NAME, MANIFEST_NAME.replace("hifa_calimage", recipe))(desk)

    request = read_ppr(desk.objects.read(desk.order().ppr.ref))

    assert [command.task for command in request.procedure.commands] == [task]


def test_a_title_that_the_pipeline_trips_over_is_replaced(desk: Desk) -> None:
    tree = DEMO.tree.model_copy(update={"obs_unit_set_title": "123", "sched_block_title": "NGC 253 <b>"})
    desk.structure = DEMO.model_copy(update={"tree": tree})

    ppr = read_ppr(desk.objects.read(desk.order().ppr.ref))

    assert (ppr.structure.obs_unit_set_title, ppr.sched_block.title) == ("Undefined", "NGC 253 <b>")


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
