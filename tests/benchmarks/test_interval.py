"""Intervals against scipy and against what they promise: 95 of 100 hold the truth."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import bootstrap, quantile_test

from clipdepth_bench.measure.interval import is_precise, median_interval, ratio_interval

SKEWED = np.random.default_rng(3).lognormal(0, 0.5, 200)


@pytest.mark.parametrize("count", [6, 7, 9, 20, 41, 100, 2000])
def test_the_medians_interval_is_scipys(count: int) -> None:
    values = np.random.default_rng(count).lognormal(0, 1, count)
    expected: Any = quantile_test(values, q=0, p=0.5).confidence_interval(0.95)
    assert median_interval(list(values)) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("count", range(6))
def test_fewer_than_six_tell_nothing(count: int) -> None:
    assert median_interval([1.0] * count) is None
    assert not is_precise([1.0] * count, 0.5)


def test_it_holds_the_median_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0).exponential(1, (1000, 15))
    intervals = [median_interval(list(draw)) for draw in draws]
    held = [interval[0] <= np.log(2) <= interval[1] for interval in intervals if interval]
    assert len(held) == 1000
    assert 0.95 <= np.mean(held) < 0.98, "P = 0.9648 for 15 values"


@given(st.lists(st.floats(1e-6, 1e3), min_size=6, max_size=200))
def test_the_median_lies_within_its_interval(values: list[float]) -> None:
    interval = median_interval(values)
    assert interval is not None
    assert interval[0] <= np.median(values) <= interval[1]


def test_precise_is_both_ends_near_the_median() -> None:
    assert is_precise([0.98, 0.99, 1.0, 1.0, 1.01, 1.02], 0.0201)
    assert not is_precise([0.98, 0.99, 1.0, 1.0, 1.01, 1.03], 0.0201)
    assert not is_precise([0.97, 0.99, 1.0, 1.0, 1.01, 1.02], 0.0201)


def test_the_ratios_interval_is_near_scipys_bootstrap() -> None:
    slow, fast = list(SKEWED[:120] * 1.3), list(SKEWED[120:])

    def ratio(a: NDArray[np.float64], b: NDArray[np.float64], axis: int) -> Any:
        return np.median(a, axis=axis) / np.median(b, axis=axis)

    theirs = bootstrap((slow, fast), ratio, n_resamples=5000, method="percentile", rng=1).confidence_interval
    assert ratio_interval(slow, fast) == pytest.approx((theirs.low, theirs.high), rel=0.02)


def test_the_ratio_holds_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        interval = ratio_interval(list(generator.lognormal(0.2, 0.1, 25)), list(generator.lognormal(0, 0.1, 30)))
        assert interval
        held += interval[0] <= np.exp(0.2) <= interval[1]
    assert 88 <= held <= 100


def test_a_ratio_of_too_few_is_not_told() -> None:
    assert ratio_interval([1.0] * 5, [1.0] * 50) is None
    assert ratio_interval([1.0] * 50, [1.0] * 5) is None
    assert ratio_interval([3.0] * 6, [2.0] * 6) == (1.5, 1.5)
