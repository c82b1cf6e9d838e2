"""How sure a median is, and a ratio of two, without assuming how times are distributed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
_RESAMPLES = 5000
FEWEST = 6
"""Of fewer values no two enclose the median with 95% confidence: 1 - 2 / 2^5 is less."""


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """Two of `values` that enclose the median of what they are drawn from; None for too few of them.

    The number of values below that median is binomial with p = 1/2, whatever their distribution: the interval from
    the k-th smallest to the k-th largest misses it with probability 2 P(B < k), for the largest k where that is small
    enough (David and Nagaraja, Order Statistics, 3rd edition, section 7.1).
    """
    count = len(values)
    rank, term = 0, 1
    below = term
    while 2 * below / 2**count <= 1 - confidence:
        rank += 1
        term = term * (count - rank + 1) // rank
        below += term
    if rank == 0:
        return None
    ordered = sorted(values)
    return float(ordered[rank - 1]), float(ordered[count - rank])


def is_precise(values: Sequence[float], within: float) -> bool:
    """Whether both ends of the median's interval are no further from it than the share `within` of it."""
    interval = median_interval(values)
    if interval is None:
        return False
    median = float(np.median(values))
    return max(interval[1] - median, median - interval[0]) <= within * median


def ratio_interval(
    values: Sequence[float], reference: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """The interval of median(values) / median(reference) by the percentile bootstrap; None for too few of either.

    Both are resampled for themselves, always by the same random numbers (Efron and Tibshirani, An Introduction to the
    Bootstrap, 1993, section 13.3).
    """
    if min(len(values), len(reference)) < FEWEST:
        return None
    generator = np.random.default_rng(0)
    ratios = _medians(values, generator) / _medians(reference, generator)
    tail = (1 - confidence) / 2
    low, high = np.quantile(ratios, (tail, 1 - tail))
    return float(low), float(high)


def _medians(values: Sequence[float], generator: np.random.Generator) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    drawn = generator.integers(0, len(array), (_RESAMPLES, len(array)))
    return np.asarray(np.median(array[drawn], axis=1), np.float64)
