"""Which events move what, and which contradict it: every state meets every topic."""

import pytest

from contracts.messages import known_types
from services.request_desk.ledger.order import RANKS
from services.request_desk.ledger.states import OVER, STEP_OF_BLOCK, BlockState, RequestState
from services.request_desk.ledger.transitions import BLOCK_RULES, REQUEST_RULES

S = RequestState
WAY = (S.SUBMITTED, S.ACCEPTED, S.RESOLVED, S.READY, S.RELEASED, S.DELIVERED, S.REMOVED)
ENDS_WITHOUT_DATA = (S.REFUSED, S.FAILED, S.WITHHELD)


def test_every_topic_has_its_rule_and_its_place_on_the_way() -> None:
    topics = {message.topic for message in known_types().values()}
    assert set(REQUEST_RULES) == topics
    assert set(RANKS) == topics


def test_every_topic_about_a_block_has_its_rule() -> None:
    about_blocks = {
        message.topic
        for message in known_types().values()
        if {"eb_uid", "block", "failure"} & message.model_fields.keys() and message.topic != "request.waiting"
    }
    assert set(BLOCK_RULES) == about_blocks


@pytest.mark.parametrize("topic", sorted(REQUEST_RULES))
@pytest.mark.parametrize("state", RequestState)
def test_an_event_moves_forward_or_says_nothing_or_contradicts(topic: str, state: RequestState) -> None:
    rule = REQUEST_RULES[topic]
    following = rule.apply(state)
    if state in rule.moves:
        assert state not in rule.illegal
        assert following is rule.to
        assert following is not None
        assert state in WAY or state is S.CANCELLED
        assert following not in WAY or state is S.CANCELLED or WAY.index(following) > WAY.index(state)
    elif state in rule.illegal:
        assert following is None
        assert topic not in ("request.submitted", "request.accepted", "request.cancelled", "request.waiting")
    else:
        assert following is state


@pytest.mark.parametrize("state", ENDS_WITHOUT_DATA)
def test_what_ended_without_data_is_never_left(state: RequestState) -> None:
    assert {topic for topic, rule in REQUEST_RULES.items() if rule.apply(state) not in (state, None)} == set()


@pytest.mark.parametrize("state", [S.DELIVERED, S.REMOVED])
@pytest.mark.parametrize("topic", ["request.refused", "request.failed", "release.withheld"])
def test_what_is_delivered_can_be_neither_refused_nor_failed(topic: str, state: RequestState) -> None:
    assert REQUEST_RULES[topic].apply(state) is None


@pytest.mark.parametrize("state", sorted(OVER - {S.CANCELLED}))
def test_what_is_over_cannot_be_cancelled_and_that_is_no_contradiction(state: RequestState) -> None:
    assert REQUEST_RULES["request.cancelled"].apply(state) is state


def test_a_delivery_that_overtook_the_cancelling_stands() -> None:
    assert REQUEST_RULES["delivery.announced"].apply(S.CANCELLED) is S.DELIVERED


def test_a_removed_delivery_cannot_be_renewed() -> None:
    assert REQUEST_RULES["delivery.renewed"].apply(S.REMOVED) is None


@pytest.mark.parametrize("topic", sorted(BLOCK_RULES))
@pytest.mark.parametrize("state", BlockState)
def test_a_block_moves_forward_or_stays_or_is_contradicted(topic: str, state: BlockState) -> None:
    following = BLOCK_RULES[topic].apply(state)
    order = list(BlockState)
    if following is None:
        assert {topic, state} in ({"restore.completed", S.FAILED}, {"restore.failed", BlockState.RESTORED})
    else:
        assert following is state or order.index(following) > order.index(state)


def test_something_is_done_for_every_block_that_has_not_ended() -> None:
    assert {state for state in BlockState if not state.is_over} == set(STEP_OF_BLOCK)
