"""Interleaved rounds, medians with their spread, and the exponent by which cost grows with size."""

from __future__ import annotations

import math
import time
from statistics import median, quantiles
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

INCONCLUSIVE = 0.25
"""A spread above this says more about the machine than about the program."""


class Sample(NamedTuple):
    """A median and its spread: the distance between the quartiles, as a share of the median."""

    median: float
    spread: float
    rounds: int

    @property
    def inconclusive(self) -> bool:
        """Whether the rounds differ too much to say anything."""
        return self.spread > INCONCLUSIVE

    def show(self, digits: int = 2) -> str:
        """Return the median with its spread in percent."""
        return f"{self.median:,.{digits}f} ±{self.spread * 50:.0f}%"


class Spent(NamedTuple):
    """What one round cost, for each unit of work: seconds on the wall and seconds of this process's CPU."""

    wall: float
    cpu: float


def sample(values: Sequence[float]) -> Sample:
    """Return the sample of these values."""
    middle = median(values)
    if len(values) < 3 or middle == 0:
        return Sample(middle, 0.0, len(values))
    low, _, high = quantiles(values, n=4, method="inclusive")
    return Sample(middle, (high - low) / abs(middle), len(values))


def ratio(over: Sequence[float], under: Sequence[float]) -> Sample:
    """Return the sample of the ratios round by round: neighbours in time had the same machine."""
    return sample([one / other for one, other in zip(over, under, strict=True)])


def timed(work: Callable[[], object], units: int = 1) -> Spent:
    """Run the work and return what each of its units cost."""
    cpu = time.process_time()
    wall = time.perf_counter()
    work()
    return Spent((time.perf_counter() - wall) / units, (time.process_time() - cpu) / units)


def interleave(rounds: int, sides: Mapping[str, Callable[[], Spent]]) -> dict[str, list[Spent]]:
    """Run every side once a round, in turning order, and return what each cost in each round."""
    spent: dict[str, list[Spent]] = {name: [] for name in sides}
    names = list(sides)
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            spent[name].append(sides[name]())
    return spent


def walls(spent: Sequence[Spent]) -> list[float]:
    """Return the seconds on the wall."""
    return [one.wall for one in spent]


def cpus(spent: Sequence[Spent]) -> list[float]:
    """Return the seconds of CPU."""
    return [one.cpu for one in spent]


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the slope of cost over size on logarithmic scales: 0 is flat, 1 linear, 2 quadratic."""
    xs, ys = [math.log(size) for size in sizes], [math.log(max(cost, 1e-12)) for cost in costs]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    below = sum((one - x) ** 2 for one in xs)
    return sum((one - x) * (other - y) for one, other in zip(xs, ys, strict=True)) / below if below else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]
