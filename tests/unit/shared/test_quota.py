"""A process may end by itself after so many events, or when none comes."""

from threading import Event as Flag
from threading import Thread

from shared.quota import Quota


def test_without_limits_only_a_signal_ends_it() -> None:
    quota, stopping = Quota(), Flag()
    reasons: list[str] = []
    waiting = Thread(target=lambda: reasons.append(quota.wait(stopping)))
    waiting.start()
    with quota.one():
        pass
    waiting.join(0.5)
    assert waiting.is_alive()
    stopping.set()
    waiting.join(10)
    assert reasons == ["signal"]


def test_it_ends_after_its_events() -> None:
    quota = Quota(events=2)
    for _ in range(2):
        with quota.one():
            pass
    assert quota.wait(Flag()) == "quota"


def test_who_wants_to_know_is_told_when_the_last_event_begins() -> None:
    told: list[int] = []
    quota = Quota(events=2, on_last=lambda: told.append(begun))
    for begun in (1, 2):
        with quota.one():
            assert told == [2][: begun - 1]
    assert told == [2]


def test_an_event_in_hand_does_not_count_yet() -> None:
    quota, stopping = Quota(events=1), Flag()
    reasons: list[str] = []
    waiting = Thread(target=lambda: reasons.append(quota.wait(stopping)))
    with quota.one():
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
    waiting.join(10)
    assert reasons == ["quota"]


def test_it_ends_when_no_event_comes() -> None:
    assert Quota(idle=0.1).wait(Flag()) == "idle"


def test_it_is_not_idle_while_an_event_is_in_hand() -> None:
    quota, stopping = Quota(idle=0.2), Flag()
    reasons: list[str] = []
    waiting = Thread(target=lambda: reasons.append(quota.wait(stopping)))
    with quota.one():
        waiting.start()
        waiting.join(0.8)
        assert waiting.is_alive()
    waiting.join(10)
    assert reasons == ["idle"]
