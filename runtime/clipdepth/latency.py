"""How long things took."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Latency:
    """A summary of `n` durations in milliseconds; every sample counts, the first and the slowest too."""

    n: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: float


def summarise_latency(seconds: Sequence[float]) -> Latency:
    """Summarise durations given in seconds; percentiles interpolate linearly. Raises ValueError for none."""
    if not len(seconds):
        raise ValueError("there are no durations to summarise")
    milliseconds = np.asarray(seconds, np.float64) * 1000
    p50, p90, p99 = (float(value) for value in np.percentile(milliseconds, (50, 90, 99)))
    return Latency(len(milliseconds), float(milliseconds.mean()), p50, p90, p99, float(milliseconds.max()))
