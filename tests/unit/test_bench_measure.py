"""What benchmarks conclude from what they measured."""

from __future__ import annotations

import pytest
from bench.measure import exponent, percentile, ratio, sample
from bench.report import Target


@pytest.mark.parametrize(("power", "costs"), [(0, [3, 3, 3]), (1, [3, 30, 300]), (2, [3, 300, 30_000])])
def test_the_exponent_tells_flat_from_linear_from_quadratic(power: int, costs: list[float]) -> None:
    assert exponent([1, 10, 100], costs) == pytest.approx(power)


def test_the_spread_is_the_distance_of_the_quartiles_as_a_share_of_the_median() -> None:
    assert sample([80, 90, 100, 110, 120]).spread == pytest.approx(0.2)


def test_ratios_are_taken_round_by_round() -> None:
    assert ratio([10, 100], [5, 50]).median == 2


@pytest.mark.parametrize(
    ("rounds", "verdict"),
    [
        ([0.61, 0.6, 0.59], "reached"),
        ([0.41, 0.4, 0.39], "missed"),
        ([0.3, 0.55, 0.9], "inconclusive"),
        ([0.8, 1.2, 1.7], "reached"),
    ],
)
def test_a_target_within_the_noise_is_inconclusive(rounds: list[float], verdict: str) -> None:
    """The last one is noisy too, but all of it lies on the good side."""
    assert Target("share", sample(rounds), 0.5, most=False).verdict == verdict


def test_the_percentile_is_the_value_that_so_many_do_not_exceed() -> None:
    assert percentile(range(1, 101), 0.99) == 99
