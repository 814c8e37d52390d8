"""``stagecalms`` shows each step in the procedure's words and ends with the address and the deletion date."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from alma_restore.progress import RequestState
from alma_restore.stagecalms_command import fields_of, stage
from alma_restore.stagecalms_output import StepPrinter, opening
from alma_restore.surroundings import BadArgumentsError
from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.messages import (
    DeliveryAnnounced,
    Message,
    ProductsReady,
    ReleaseGranted,
    RequestAccepted,
    RequestFailed,
    RequestRefused,
    RequestSubmitted,
    RestoreCompleted,
    RestoreOrdered,
    RestoreStarted,
    StructureResolved,
)
from contracts.messages.parts import BlockFailure, DeliveredFile, Stage
from contracts.reasons import ReasonCode
from shared.bus import Delivery, Subscription
from shared.bus.memory import MemoryBus
from tests.support.samples import BLOCK, EB, REQUEST, SAMPLES

STEPS = (RequestAccepted, StructureResolved, RestoreOrdered, RestoreStarted, ProductsReady, ReleaseGranted)
SAID = datetime(2019, 9, 27, 14, 4, 4, tzinfo=UTC)
DELIVERY = DeliveryAnnounced(
    request=REQUEST,
    address="http://almascience.example.org/arcdistribution/preview/8672af71dac32e0ad9703dae3438fcac",
    files=(DeliveredFile(name=BLOCK.file_name, size=5764321280, sha256="a" * 64),),
    expires=SAID + timedelta(days=28),
)


def lines(*messages: Message) -> list[str]:
    printed: list[str] = []
    printer = StepPrinter(printed.append)
    for message in messages:
        printer.show(Event.first(message, source="/test").model_copy(update={"time": SAID}))
    return printed


def test_a_selection_is_said_first() -> None:
    assert opening(REQUEST) == [
        "*** Based on your selection, only data for field J0510+1800,J0321+1234 will be staged. ***"
    ]


def test_it_ends_with_the_address_and_the_deletion_date() -> None:
    assert lines(DELIVERY)[-3:] == [
        "Staging of calibrated MS(s) for 2017.1.00886.L uid___A001_X1284_X265f helpdesk ticket #16140 completed",
        "at http://almascience.example.org/arcdistribution/preview/8672af71dac32e0ad9703dae3438fcac",
        "Data will be deleted 28 days from Fri Sep 27 14:04:04 UTC 2019 "
        "unless you put a .donotremove into the directory.",
    ]


def test_every_step_of_a_request_is_shown() -> None:
    text = "\n".join(lines(*SAMPLES))
    for words in (
        "Checking for pre-existing MSs for the following EBs ...\nuid___A002_Xc7111c_X3979\n",
        "DATAMACHINE chosen: node1:4242\n",
        "MS for uid___A002_Xc7111c_X3979 was not found among the already staged MSs. Will not search further ...\n",
        "Completed. Determining the list of generated MSs ...\n",
        "Copying over the generated MSs ...\nuid___A002_Xc7111c_X3979.ms.split.cal.tar\n",
    ):
        assert words in text


PROCEDURE = """\
*** Based on your selection, only data for field J0510+1800,J0321+1234 will be staged. ***
Now generating the calibrated MS(s) ...
Checking for pre-existing MSs for the following EBs ...
uid___A002_Xc7111c_X3979
Old project, using RHEL5 build of CASA.
MS for uid___A002_Xc7111c_X3979 was not found among the already staged MSs. Will not search further ...
Completed. Determining the list of generated MSs ...
Copying over the generated MSs ...
uid___A002_Xc7111c_X3979.ms.split.cal.tar

Staging of calibrated MS(s) for 2017.1.00886.L uid___A001_X1284_X265f helpdesk ticket #16140 completed
at http://almascience.example.org/arcdistribution/preview/8672af71dac32e0ad9703dae3438fcac
Data will be deleted 28 days from Fri Sep 27 14:04:04 UTC 2019 unless you put a .donotremove into the directory.
"""
"""The lines of the procedure's terminal output that hold here as well, for a request of one block."""


def test_the_lines_of_the_procedures_terminal_output_come_word_for_word_and_in_their_order() -> None:
    steps = [each for each in SAMPLES if isinstance(each, STEPS)]
    printed = iter([*opening(REQUEST), *lines(*steps, DELIVERY)])
    missing = [line for line in PROCEDURE.splitlines() if line not in printed]  # each is sought after the one before
    assert missing == []


def test_an_old_build_is_said_once_however_many_blocks_need_it() -> None:
    (ordered,) = [each for each in SAMPLES if isinstance(each, RestoreOrdered)]
    assert lines(ordered, ordered, ordered).count("Old project, using RHEL5 build of CASA.") == 1


def test_of_a_build_that_is_not_old_nothing_is_said() -> None:
    (ordered,) = [each for each in SAMPLES if isinstance(each, RestoreOrdered)]
    assert ordered.casa is not None
    usual = ordered.model_copy(update={"casa": ordered.casa.model_copy(update={"note": None})})
    assert len(lines(usual)) == len(lines(ordered)) - 1


def test_which_of_several_calibrations_is_used_is_said() -> None:
    (resolved,) = [each for each in SAMPLES if isinstance(each, StructureResolved)]
    assert "2 calibrations are in the archive: the newest one is used" in lines(resolved)


def test_a_result_that_was_there_before_is_said() -> None:
    found = lines(RestoreCompleted(request=REQUEST, block=BLOCK.model_copy(update={"reused": True})))
    assert found == [
        f"Found pre-existing {BLOCK.file_name} .",
        "   Will try to use this instead of recreating it (making hard link) ...",
    ]


def test_a_failure_says_what_to_investigate_and_what_was_kept() -> None:
    failure = BlockFailure(
        eb_uid=EB,
        stage=Stage.RESTORE,
        reason=ReasonCode.CASA_FAILED,
        detail="applycal",
        working_directory="node1:/scratch/WORK23486",
    )
    found = lines(RequestFailed(request=REQUEST, failures=(failure,)))
    assert found[1] == (
        "Failed. Please investigate  node1:/scratch/WORK23486 and possibly remove incomplete data "
        "belonging to MOUS uid://A001/X1284/X265f"
    )
    assert found[-1] == "The working directory node1:/scratch/WORK23486 was not removed."


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [([], []), (["X", "J0217-0820,J0238+1636"], ["J0217-0820", "J0238+1636"]), (["X", "J0217-0820"], ["J0217-0820"])],
)
def test_fields_follow_an_x(arguments: list[str], fields: list[str]) -> None:
    assert fields_of(arguments) == fields


@pytest.mark.parametrize("arguments", [["X"], ["J0217-0820"], ["Y", "a"], ["X", "a, b"], ["X", "a,"], ["X", "a", "b"]])
def test_anything_else_after_the_ticket_is_refused(arguments: list[str]) -> None:
    with pytest.raises(BadArgumentsError, match="only X and field names"):
        fields_of(arguments)


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (DELIVERY, RequestState.DELIVERED, "completed\nat http://"),
        (
            RequestRefused(request=REQUEST, reason=ReasonCode.NOT_ENTITLED, detail="proprietary until 2027-01-01"),
            RequestState.REFUSED,
            "NOT ENTITLED: uid___A001_X1284_X265f",
        ),
    ],
    ids=["delivered", "refused"],
)
def test_it_submits_and_waits_for_the_end(
    answer: Message, state: RequestState, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bus = MemoryBus()
    bus.declare(QUEUES)
    asked: list[Event] = []

    def handle(event: Event, _: Delivery) -> Sequence[Event]:
        asked.append(event)
        return [event.derive(answer, source="/test")]

    bus.subscribe(Subscription(queue="entitlement-checker", topics=QUEUES["entitlement-checker"], handler=handle))
    try:
        assert stage(bus, REQUEST) is state
    finally:
        bus.close()
    assert [event.data for event in asked] == [RequestSubmitted(request=REQUEST)]
    assert words in capsys.readouterr().out
