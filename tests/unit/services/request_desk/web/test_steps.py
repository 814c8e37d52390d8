"""The way of a request step by step."""

from contracts.messages import ReleaseWithheld, RequestCancelled, RequestFailed, RestoreFailed
from contracts.messages.parts import BlockFailure, Stage
from contracts.reasons import ReasonCode
from services.request_desk.ledger.facts import fact_of
from services.request_desk.ledger.folding import fold
from services.request_desk.ledger.states import Step
from services.request_desk.web.steps import Standing, StepView, steps_of
from tests.support.samples import MOUS, REQUEST
from tests.support.stories import BLOCKS, Story

ID = REQUEST.request_id


def way(story: Story) -> dict[Step, StepView]:
    return {each.step: each for each in steps_of(fold(ID, map(fact_of, story.events)))}


def standings(story: Story) -> str:
    """Write the way as a word: a letter a step."""
    letters = {"done": "d", "now": "n", "ahead": "-", "ended": "X", "left_out": "."}
    return "".join(letters[each.standing] for each in way(story).values())


def test_a_request_goes_its_way_step_by_step() -> None:
    story = Story(blocks=BLOCKS[:1])
    story.submitted()
    assert standings(story) == "n-------"
    story = Story(blocks=BLOCKS[:1])
    structure = story.resolved()
    assert standings(story) == "ddn-----"
    staged = story.fetched(structure, BLOCKS[0])
    assert standings(story) == "dddn----"
    order = story.ordered(staged, BLOCKS[0])
    assert standings(story) == "ddddn---"
    story.started(order, BLOCKS[0])
    assert standings(story) == "dddddn--"
    story.restored(order, BLOCKS[0])
    assert standings(story) == "ddddddn-"


def test_all_is_done_in_the_end_and_each_step_tells_how_long_it_took() -> None:
    story = Story()
    story.delivered()
    assert standings(story) == "dddddddd"
    assert all(each.seconds is not None for each in way(story).values())
    assert (way(story)[Step.RESTORE].blocks_done, way(story)[Step.RELEASE].blocks) == (2, None)


def test_blocks_are_each_at_a_step_of_their_own() -> None:
    story = Story(blocks=BLOCKS[:3])
    structure = story.resolved()
    story.restored(story.run(story.fetched(structure, BLOCKS[0]), BLOCKS[0]), BLOCKS[0])
    story.ordered(story.fetched(structure, BLOCKS[1]), BLOCKS[1])
    assert standings(story) == "ddn-n---"
    assert [(each.blocks_done, each.blocks) for each in list(way(story).values())[2:6]] == [
        (2, 3), (2, 3), (1, 3), (1, 3),
    ]  # fmt: skip


def test_where_a_request_ended_is_told_and_what_came_to_nothing() -> None:
    story = Story()
    story.refused()
    assert standings(story) == "X......."
    failed = Story()
    structure = failed.resolved()
    damaged = BlockFailure(eb_uid=BLOCKS[0], stage=Stage.FETCH, reason=ReasonCode.SIZE_MISMATCH, detail="short")
    failed.say(RestoreFailed(request=failed.request, failure=damaged), cause=structure)
    failed.restored(failed.run(failed.fetched(structure, BLOCKS[1]), BLOCKS[1]), BLOCKS[1])
    failed.say(RequestFailed(request=failed.request, failures=()))
    found = way(failed)
    assert [step for step, each in found.items() if each.standing is Standing.ENDED] == [Step.FETCH]
    assert (found[Step.FETCH].blocks_done, found[Step.RESTORE].standing) == (1, Standing.LEFT_OUT)
    withheld = Story()
    ready = withheld.ready()
    withheld.say(ReleaseWithheld(request=withheld.request, reason=ReasonCode.QA3_IN_PROGRESS), cause=ready)
    assert standings(withheld) == "ddddddX."
    cancelled = Story()
    cancelled.resolved()
    cancelled.say(RequestCancelled(request_id=ID, mous_uid=MOUS, by="vrubin"))
    assert standings(cancelled) == "ddX....."
