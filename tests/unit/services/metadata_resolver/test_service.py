from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import delete, update

from contracts.envelope import Event
from contracts.messages import (
    RequestAccepted,
    RequestFailed,
    RequestSubmitted,
    RestoreFailed,
)
from contracts.messages.parts import (
    CalibrationKind,
    CasaBasis,
    ProductKind,
    Stage,
)
from contracts.reasons import ReasonCode
from observatory.metadata import add_products
from observatory.metadata_demo import (
    EMPTY_FIRST_SESSION,
    MOUS,
    NO_END_TIME,
    NOTHING_PASSED,
    PI,
    TWO_SESSIONS,
)
from services.metadata_resolver.service import MetadataResolver, build
from services.metadata_resolver.settings import MetadataResolverSettings
from shared.archive_db.tables import AQUA_V_EXECBLOCK, ASA_PRODUCT_FILES, OBS_UNIT_SET_STATUS
from shared.errors import DependencyAwayError
from shared.not_restorable import NotRestorableYet
from shared.objects import DirectorySettings, open_store
from tests.support.archive_tables import ArchiveTables
from tests.support.delivery import RecordingDelivery
from tests.unit.services.metadata_resolver.resolving import accepted, answers, refusal_of, structure_of

GOLDEN = Path(__file__).parents[3] / "golden" / "structures" / "uid___A001_X1284_X265f.json"


def test_the_structure_of_the_golden_mous_is_as_it_was(service: MetadataResolver, tables: ArchiveTables) -> None:
    name = f"member.{MOUS.uid.file_form}.hifa_calimage"
    block = MOUS.blocks[0].uid.file_form
    more = [
        (f"{name}.pipeline_manifest.xml", 5000),
        (f"{name}.pprequest.xml", 4000),
        (f"{name}.product_rename.txt", 10),
        (f"{block}.ms.flagversions.tgz", 300),
        (f"{block}.ms.calapply.txt", 200),
    ]
    tables.change(lambda connection: add_products(connection, MOUS.uid, more))
    assert structure_of(service, MOUS).model_dump_json(indent=2) + "\n" == GOLDEN.read_text()


def test_an_empty_first_session_keeps_its_number(service: MetadataResolver) -> None:
    first, second = structure_of(service, EMPTY_FIRST_SESSION).sessions
    assert (first.name, first.execution_blocks) == ("session_1", ())
    assert (second.name, len(second.execution_blocks)) == ("session_2", 1)


def test_two_sessions_have_a_block_each(service: MetadataResolver) -> None:
    sessions = structure_of(service, TWO_SESSIONS).sessions
    assert [session.execution_blocks for session in sessions] == [(block.uid,) for block in TWO_SESSIONS.blocks]


def test_without_status_document_and_end_time_the_session_tables_serve(service: MetadataResolver) -> None:
    (session,) = structure_of(service, NO_END_TIME).sessions
    assert session.execution_blocks == (NO_END_TIME.blocks[0].uid,)


def test_only_blocks_that_passed_are_listed(service: MetadataResolver, tables: ArchiveTables) -> None:
    fail = update(AQUA_V_EXECBLOCK).where(AQUA_V_EXECBLOCK.c.EXECBLOCKUID == MOUS.blocks[0].uid)
    tables.change(lambda connection: connection.execute(fail.values(QA0STATUS="SemiPass")))
    sessions = structure_of(service, MOUS).sessions
    assert [len(session.execution_blocks) for session in sessions] == [1, 0, 2]


def test_d6_nothing_that_passed_is_refused(service: MetadataResolver) -> None:
    refused = refusal_of(service, NOTHING_PASSED)
    assert refused.reason is ReasonCode.NO_QA0_PASS
    assert "none of 2 execution blocks" in refused.detail


def test_without_caltables_a_mous_is_not_restorable_yet(service: MetadataResolver, tables: ArchiveTables) -> None:
    tables.change(lambda connection: connection.execute(delete(ASA_PRODUCT_FILES)))
    assert refusal_of(service, MOUS).reason is ReasonCode.NOT_RESTORABLE_YET


def test_a_calibration_by_hand_without_caltables_says_so(service: MetadataResolver, tables: ArchiveTables) -> None:
    script = f"{MOUS.blocks[0].uid.file_form}.ms.scriptForCalibration.py"
    tables.change(lambda connection: connection.execute(delete(ASA_PRODUCT_FILES)))
    tables.change(lambda connection: add_products(connection, MOUS.uid, [(script, 10)]))
    refused = refusal_of(service, MOUS)
    assert refused.reason is ReasonCode.NOT_RESTORABLE_YET
    assert "calibrated by hand" in refused.detail


def test_who_came_too_early_is_remembered_once(
    service: MetadataResolver, tables: ArchiveTables, tmp_path: Path
) -> None:
    tables.change(lambda connection: connection.execute(delete(ASA_PRODUCT_FILES)))
    event = accepted(MOUS)
    for _ in range(2):
        service.handle(event, RecordingDelivery())
    objects = open_store(DirectorySettings(root=tmp_path / "objects"))
    (waiting,) = NotRestorableYet(objects=objects).of(MOUS.uid)
    objects.close()
    assert waiting.request.user_email == PI.email
    assert waiting.since == event.time
    assert "no calibration tables" in waiting.detail


def test_nobody_is_remembered_whose_mous_has_no_data_to_offer(service: MetadataResolver, tmp_path: Path) -> None:
    assert refusal_of(service, NOTHING_PASSED).reason is ReasonCode.NO_QA0_PASS
    objects = open_store(DirectorySettings(root=tmp_path / "objects"))
    assert NotRestorableYet(objects=objects).all() == []
    objects.close()


def test_a_calibration_by_hand_is_passed_on_where_runners_can_re_run_it(tables: ArchiveTables, tmp_path: Path) -> None:
    script = f"{MOUS.blocks[0].uid.file_form}.ms.scriptForCalibration.py"
    tables.change(lambda connection: connection.execute(delete(ASA_PRODUCT_FILES)))
    tables.change(lambda connection: add_products(connection, MOUS.uid, [(script, 10)]))
    objects = open_store(DirectorySettings(root=tmp_path / "objects"))
    settings = MetadataResolverSettings(database=tables.settings(), restore_manual=True)
    service = build(objects=objects, settings=settings)
    structure = structure_of(service, MOUS)
    service.close()
    objects.close()
    assert structure.calibration is CalibrationKind.MANUAL
    assert structure.casa is not None
    assert (structure.casa.version, structure.casa.basis) == ("5.4.0-70", CasaBasis.OBSERVED)


def test_a_calibration_whose_tables_are_all_another_ones_goes_on_to_be_told_as_incomplete(
    service: MetadataResolver, tables: ArchiveTables
) -> None:
    name = f"member.{MOUS.uid.file_form}.hifa_calimage"
    found = [f"{name}.pipeline_manifest.xml", f"{name}_renorm.pipeline_manifest.xml", f"{name}.session_1.caltables.tgz"]
    tables.change(lambda connection: connection.execute(delete(ASA_PRODUCT_FILES)))
    tables.change(lambda connection: add_products(connection, MOUS.uid, [(file, 1) for file in found]))
    structure = structure_of(service, MOUS)
    assert [product.file_id for product in structure.products] == [found[1]]
    assert structure.calibration is CalibrationKind.PIPELINE
    assert structure.notes[1] == f"not used, since not of the calibration of {found[1]}: {found[2]}"


def test_of_several_calibrations_the_newest_by_the_sites_own_query_is_used(
    tables: ArchiveTables, tmp_path: Path
) -> None:
    name = f"member.{MOUS.uid.file_form}.hifa_calimage"
    manifests = [(f"{name}.pipeline_manifest.xml", 1), (f"{name}_renorm.pipeline_manifest.xml", 1)]
    tables.change(lambda connection: add_products(connection, MOUS.uid, manifests))
    query = (
        "SELECT NGAS_FILE_ID, CASE WHEN NGAS_FILE_ID LIKE '%renorm%' THEN '2018-11-05T10:11:12.000'"
        " ELSE '2019-11-20T00:00:00.000' END FROM ASA_PRODUCT_FILES WHERE ASA_OUS_ID = :mous_uid"
    )
    objects = open_store(DirectorySettings(root=tmp_path / "objects"))
    settings = MetadataResolverSettings(database=tables.settings(), product_dates_query=query)
    service = build(objects=objects, settings=settings)
    structure = structure_of(service, MOUS)
    service.close()
    objects.close()
    (manifest,) = [product for product in structure.products if product.kind is ProductKind.MANIFEST]
    assert manifest.file_id == f"{name}.pipeline_manifest.xml"
    (note,) = structure.notes
    assert "of 2019-11-20 is used (the newest)" in note
    assert structure.casa is not None
    assert (structure.casa.version, structure.casa.basis) == ("5.6.1-8", CasaBasis.INGESTED)


def test_a_query_for_dates_must_name_the_mous(tables: ArchiveTables) -> None:
    with pytest.raises(ValidationError, match=":mous_uid"):
        MetadataResolverSettings(database=tables.settings(), product_dates_query="SELECT 1, 2")


def test_a_calibration_script_beside_caltables_is_a_combined_case(
    service: MetadataResolver, tables: ArchiveTables
) -> None:
    script = f"{MOUS.blocks[0].uid.file_form}.ms.scriptForCalibration.py"
    tables.change(lambda connection: add_products(connection, MOUS.uid, [(script, 10)]))
    structure = structure_of(service, MOUS)
    assert structure.calibration is CalibrationKind.COMBINED
    (found,) = [product for product in structure.products if product.kind is ProductKind.CALIBRATION_SCRIPT]
    assert found.eb_uid == MOUS.blocks[0].uid


def test_a_passed_block_in_no_session_fails_the_request_and_both_lists_are_shown(
    service: MetadataResolver, tables: ArchiveTables
) -> None:
    lost = update(AQUA_V_EXECBLOCK).where(AQUA_V_EXECBLOCK.c.EXECBLOCKUID == TWO_SESSIONS.blocks[0].uid)
    tables.change(
        lambda connection: connection.execute(lost.values(SCHEDBLOCKUID=MOUS.sched_block_uid, STARTTIME=None))
    )
    *told, last = [event.data for event in answers(service, MOUS)]
    assert isinstance(last, RequestFailed)
    assert len(told) == len(last.failures) == 5
    assert all(isinstance(message, RestoreFailed) for message in told)
    for failure in last.failures:
        assert (failure.stage, failure.reason) == (Stage.PREPARE, ReasonCode.SESSIONS_DISAGREE)
        assert f"in no session: {TWO_SESSIONS.blocks[0].uid}" in failure.detail
        assert all(block.uid in failure.detail for block in MOUS.blocks)


def test_a_redelivered_failure_is_told_with_the_same_events(service: MetadataResolver, tables: ArchiveTables) -> None:
    orphan = update(AQUA_V_EXECBLOCK).values(SCHEDBLOCKUID=MOUS.sched_block_uid)
    tables.change(lambda connection: connection.execute(orphan))
    event = accepted(MOUS)
    first, second = ({answer.id for answer in service.handle(event, RecordingDelivery())} for _ in range(2))
    assert first == second


def test_a_session_of_the_document_that_no_table_knows_is_kept_empty(
    service: MetadataResolver, tables: ArchiveTables
) -> None:
    gone = delete(AQUA_V_EXECBLOCK).where(AQUA_V_EXECBLOCK.c.EXECBLOCKUID == TWO_SESSIONS.blocks[0].uid)
    tables.change(lambda connection: connection.execute(gone))
    assert [len(session.execution_blocks) for session in structure_of(service, TWO_SESSIONS).sessions] == [0, 1]


def test_without_document_the_tables_give_the_same_sessions_but_the_empty_ones(
    service: MetadataResolver, tables: ArchiveTables
) -> None:
    tables.change(lambda connection: connection.execute(update(OBS_UNIT_SET_STATUS).values(XML=None)))
    sessions = structure_of(service, MOUS).sessions
    assert [session.execution_blocks for session in sessions] == [
        tuple(block.uid for block in session.blocks) for session in MOUS.sessions if session.blocks
    ]


def test_a_database_that_is_away_is_no_result(service: MetadataResolver, tables: ArchiveTables) -> None:
    tables.path.unlink()
    with pytest.raises(DependencyAwayError):
        answers(service, MOUS)
    assert not service.is_ready()


def test_another_message_is_a_mistake(service: MetadataResolver) -> None:
    event = accepted(MOUS)
    assert isinstance(event.data, RequestAccepted)
    other = Event.first(RequestSubmitted(request=event.data.request), source="/test")
    with pytest.raises(TypeError, match=r"request\.submitted"):
        service.handle(other, RecordingDelivery())
