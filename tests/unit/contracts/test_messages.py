"""Every message type has a golden event that is read for ever and written the same."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from contracts.documents import FOLDER, documents, main
from contracts.envelope import Event
from contracts.flow import QUEUES
from contracts.malformed import MALFORMED
from contracts.messages import Message, known_types
from contracts.reasons import REASONS, ReasonCode
from tests.support.samples import EVENT_ID, SAMPLES, WHEN

GOLDENS = Path(__file__).parents[2] / "golden" / "messages"


def event_of(message: Message) -> Event:
    return Event.first(message, source="/alma-restore/test", event_id=EVENT_ID).model_copy(update={"time": WHEN})


def test_every_message_type_has_a_sample_and_a_golden_file() -> None:
    sampled = {sample.type_name() for sample in SAMPLES}
    assert sampled == set(known_types())
    assert {path.stem for path in GOLDENS.glob("*.json")} == sampled


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: str(message.topic))
def test_the_golden_event_is_read_and_written_the_same(message: Message) -> None:
    golden = (GOLDENS / f"{message.type_name()}.json").read_bytes()
    assert Event.decode(golden) == event_of(message)
    assert json.loads(event_of(message).encode()) == json.loads(golden)


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: str(message.topic))
def test_the_golden_event_obeys_its_json_schema(message: Message) -> None:
    schema = json.loads((FOLDER / "schemas" / f"{message.type_name()}.json").read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    golden = json.loads((GOLDENS / f"{message.type_name()}.json").read_text())
    validator.validate(golden)
    broken = golden | {"data": {}}
    assert not validator.is_valid(broken)


def test_the_generated_documents_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().out
    assert set(FOLDER.rglob("*.json")) == set(documents())


def test_the_answer_to_a_message_that_cannot_be_read_is_described_for_every_queue() -> None:
    described = json.loads((FOLDER / "asyncapi.json").read_text())
    answer = described["channels"]["message.malformed"]
    assert (answer["address"], list(answer["messages"])) == (None, [MALFORMED])
    assert described["components"]["messages"][MALFORMED]["payload"]["schema"] == {"$ref": f"schemas/{MALFORMED}.json"}
    replies = [operation["reply"] for operation in described["operations"].values()]
    assert {reply["channel"]["$ref"] for reply in replies} == {"#/channels/message.malformed"}
    assert {reply["address"]["location"] for reply in replies} == {"$message.header#/reply_to"}
    Draft202012Validator.check_schema(json.loads((FOLDER / "schemas" / f"{MALFORMED}.json").read_text()))


def test_every_topic_that_a_queue_collects_is_said_by_somebody() -> None:
    topics = {cls.topic for cls in known_types().values()}
    assert {topic for wanted in QUEUES.values() for topic in wanted} <= topics


def test_every_reason_code_has_its_sentences() -> None:
    assert set(REASONS) == set(ReasonCode)
    assert all(reason.title and reason.user and reason.operator for reason in REASONS.values())
