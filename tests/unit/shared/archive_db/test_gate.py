import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.archive_db.gate import ConnectGate
from shared.errors import DependencyAwayError, MisconfiguredError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Connecting:
    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.tries = 0

    def __call__(self) -> str:
        self.tries += 1
        if self.error is not None:
            raise self.error
        return "connection"


@pytest.mark.parametrize(
    ("error", "told", "pause"),
    [
        (OSError("no route to host"), DependencyAwayError, 1.0),
        (DependencyAwayError("no answer"), DependencyAwayError, 1.0),
        (MisconfiguredError("ORA-01017"), MisconfiguredError, 60.0),
    ],
)
def test_a_failed_connect_is_told_again_until_its_pause_is_over(
    error: Exception, told: type[Exception], pause: float
) -> None:
    clock, connecting = Clock(), Connecting(error)
    gate = ConnectGate(pause_away=1.0, pause_refused=60.0, clock=clock)
    with pytest.raises(type(error)):
        gate.connect(connecting)
    clock.now += pause - 0.5
    with pytest.raises(told, match="asked again in"):
        gate.connect(connecting)
    assert connecting.tries == 1
    clock.now += 1
    connecting.error = None
    assert gate.connect(connecting) == "connection"


def test_a_pool_that_is_used_up_closes_no_gate() -> None:
    connecting = Connecting(PoolTimeoutError("QueuePool limit"))
    gate = ConnectGate(pause_away=1.0, pause_refused=60.0, clock=Clock())
    for _ in range(2):
        with pytest.raises(PoolTimeoutError):
            gate.connect(connecting)
    assert connecting.tries == 2


def test_an_error_of_our_own_making_closes_no_gate() -> None:
    connecting = Connecting(ValueError("a bug"))
    gate = ConnectGate(pause_away=1.0, pause_refused=60.0, clock=Clock())
    for _ in range(2):
        with pytest.raises(ValueError, match="a bug"):
            gate.connect(connecting)
    assert connecting.tries == 2
