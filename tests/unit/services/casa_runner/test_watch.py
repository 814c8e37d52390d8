"""CASA that waits for a place to work is not taken for one that hangs."""

import time
from pathlib import Path
from threading import Event as Flag

import pytest

from contracts.reasons import ReasonCode
from services.casa_runner.errors import RestoreInterruptedError
from services.casa_runner.interruption import Interruption
from services.casa_runner.watch import Signs, watch
from shared.errors import BlockFailedError

LIMIT = 0.3


class Queued:
    """A job of a cluster that has its node after some looks, and then is silent."""

    def __init__(self, *, looks: int, lives: bool = True) -> None:
        self._looks = looks
        self._lives = lives
        self.is_stopped = False

    def wait(self, timeout: float) -> int | None:
        time.sleep(timeout)
        self._looks -= 1
        return None if self._lives or self._looks >= 0 else 0

    def is_queued(self) -> bool:
        return self._looks >= 0

    def stop(self) -> None:
        self.is_stopped = True

    def leave(self) -> bool:
        return True


@pytest.fixture
def signs(tmp_path: Path) -> Signs:
    (tmp_path / "progress").touch()
    return Signs(
        progress=tmp_path / "progress",
        logs=(),
        application_log=tmp_path / "shell.log",
        working=tmp_path,
        imported=tmp_path / "x.ms",
        expected_import=4000,
        output=tmp_path / "x.ms.split.cal",
    )


def interruption(**flags: Flag) -> Interruption:
    names = ("cancelled", "lost", "lease_lost", "stopping")
    return Interruption(**{name: flags.get(name, Flag()) for name in names})


def watched(
    casa: Queued,
    signs: Signs,
    said: list[str],
    ending: Interruption,
    *,
    time_limit: float = 30,
    hang_limit: float = LIMIT,
) -> int:
    return watch(
        casa,
        signs,
        on_progress=lambda step, *_: said.append(step),
        interruption=ending,
        time_limit=time_limit,
        hang_limit=hang_limit,
    )


def test_bytes_are_told_whenever_the_working_directory_has_others_than_before(signs: Signs) -> None:
    class Growing(Queued):
        def wait(self, timeout: float) -> int | None:
            with (signs.working / "table.f0").open("ab") as file:
                file.write(bytes(1000))
            super().wait(timeout)
            return 0 if self._looks < -4 else None

    told: list[int] = []
    status = watch(
        Growing(looks=0),
        signs,
        on_progress=lambda step, percent, written: told.append(written),
        interruption=interruption(),
        time_limit=30,
        hang_limit=LIMIT,
    )
    assert status == 0
    assert told == sorted(set(told))
    assert told[-1] >= 3000


def test_an_import_is_as_far_as_the_measurement_set_that_it_writes(signs: Signs) -> None:
    class Importing(Queued):
        def wait(self, timeout: float) -> int | None:
            with (signs.imported / "table.f0").open("ab") as file:
                file.write(bytes(1000))
            super().wait(timeout)
            return 0 if self._looks < -8 else None

    signs.imported.mkdir()
    signs.progress.write_text('{"step": "pipeline", "percent": 10}\n')
    signs.application_log.write_text("x\tINFO\timportasdm::::casa\t##### Begin Task: importasdm #####\n")
    told: list[tuple[str, float]] = []
    watch(
        Importing(looks=0),
        signs,
        on_progress=lambda step, percent, written: told.append((step, percent)),
        interruption=interruption(),
        time_limit=30,
        hang_limit=LIMIT,
    )
    assert told[:2] == [("pipeline", 10.0), ("importasdm", 12.0)]
    assert told == sorted(told, key=lambda word: word[1])
    assert told[-1] == ("importasdm", 40.0)


def test_silence_does_not_count_while_it_is_queued_which_is_said_once(signs: Signs) -> None:
    said: list[str] = []
    assert watched(Queued(looks=6, lives=False), signs, said, interruption()) == 0
    assert said == ["queued"]


def test_once_it_has_its_place_its_silence_counts(signs: Signs) -> None:
    casa = Queued(looks=2)
    with pytest.raises(BlockFailedError) as raised:
        watched(casa, signs, [], interruption())
    assert raised.value.reason is ReasonCode.CASA_HUNG
    assert casa.is_stopped


@pytest.mark.parametrize("looks", [1, 99], ids=["has its place", "waits"])
def test_a_job_that_waited_for_its_place_is_left_to_the_next_who_gets_the_order_when_the_time_is_over(
    signs: Signs, looks: int
) -> None:
    casa = Queued(looks=looks)
    with pytest.raises(RestoreInterruptedError, match="left to work on") as raised:
        watched(casa, signs, [], interruption(), time_limit=LIMIT, hang_limit=1)
    assert raised.value.works_on
    assert not casa.is_stopped


def test_a_job_that_did_not_wait_is_ended_when_the_time_is_over(signs: Signs) -> None:
    casa = Queued(looks=0)
    with pytest.raises(BlockFailedError, match="seconds that were left for it") as raised:
        watched(casa, signs, [], interruption(), time_limit=LIMIT, hang_limit=30)
    assert raised.value.reason is ReasonCode.CASA_HUNG
    assert casa.is_stopped


@pytest.mark.parametrize("why", ["lost", "stopping"])
def test_where_the_order_comes_again_it_is_left_to_the_next_runner(signs: Signs, why: str) -> None:
    casa, flag = Queued(looks=99), Flag()
    flag.set()
    with pytest.raises(RestoreInterruptedError, match="left to the next runner") as raised:
        watched(casa, signs, [], interruption(**{why: flag}))
    assert raised.value.works_on
    assert not casa.is_stopped


@pytest.mark.parametrize("why", ["cancelled", "lease_lost"])
def test_where_nobody_wants_it_it_is_ended(signs: Signs, why: str) -> None:
    casa, flag = Queued(looks=99), Flag()
    flag.set()
    with pytest.raises(RestoreInterruptedError) as raised:
        watched(casa, signs, [], interruption(**{why: flag}))
    assert not raised.value.works_on
    assert casa.is_stopped


@pytest.mark.parametrize(("why", "works_on"), [("lost", True), ("stopping", True), ("cancelled", False)])
def test_what_casa_made_is_left_to_the_next_runner_where_its_storing_ends_early(why: str, works_on: bool) -> None:
    flag = Flag()
    ending = interruption(**{why: flag})
    ending.leave_or_end(Queued(looks=0))
    flag.set()
    with pytest.raises(RestoreInterruptedError) as raised:
        ending.leave_or_end(Queued(looks=0))
    assert raised.value.works_on is works_on
