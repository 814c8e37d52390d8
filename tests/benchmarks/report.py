"""How a benchmark tells its result: what was measured, what was asked for, and whether that is met."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Figure:
    """A measured figure and the least (or most) that is asked of it."""

    what: str
    value: float
    ask: float
    at_most: bool = False
    unit: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the ask is met."""
        return self.value <= self.ask if self.at_most else self.value >= self.ask

    def __str__(self) -> str:
        bound = "at most" if self.at_most else "at least"
        verdict = "ok" if self.is_met else "short"
        return f"{self.what}: {self.value:.3g}{self.unit}, ask {bound} {self.ask:.3g}{self.unit}, {verdict}"


def in_turn(
    runs: Mapping[str, Callable[[], float]], rounds: int, *, tell: Callable[[str], None] = print
) -> dict[str, list[float]]:
    """Run each once a round, so that what disturbs the machine disturbs all of them, and give every value."""
    values: dict[str, list[float]] = {name: [] for name in runs}
    names = list(runs)
    for number in range(rounds):
        # Each round begins with another, so that nobody always comes after the same neighbour.
        for name in names[number % len(names) :] + names[: number % len(names)]:
            values[name].append(runs[name]())
        tell(f"round {number + 1}: " + ", ".join(f"{name} {values[name][-1]:.4g}" for name in names))
    return values


def ratio(values: Sequence[float], yardstick: Sequence[float]) -> float:
    """Give the median of the ratios round by round: what disturbs a whole round cancels out."""
    return median(value / standard for value, standard in zip(values, yardstick, strict=True))


def close(figures: Sequence[Figure]) -> None:
    """Print the closing lines and exit with 1 if an ask is not met."""
    for figure in figures:
        print(figure)
    sys.exit(0 if all(figure.is_met for figure in figures) else 1)
