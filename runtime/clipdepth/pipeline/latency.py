"""How long things took."""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from threading import Lock

import numpy as np

RING = 4096
"""How many of the newest durations a ring keeps."""
BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Of a histogram's buckets, seconds; a last one has no bound."""


@dataclass(frozen=True)
class Latency:
    """A summary of `n` durations in milliseconds; every sample counts, the first and the slowest too."""

    n: int
    mean: float
    p50: float
    p90: float
    p99: float
    max: float


@dataclass(frozen=True)
class Histogram:
    """All durations since the start: how many were at most each of BOUNDS and in all, and their sum in seconds."""

    counts: tuple[int, ...]
    seconds: float


class LatencyRing:
    """The newest durations of a stage that runs all day, and a histogram of all; for several threads."""

    def __init__(self, capacity: int = RING) -> None:
        self._seconds: deque[float] = deque(maxlen=capacity)
        self._lock = Lock()
        self.clear()

    def clear(self) -> None:
        """Forget all durations, the histogram's too."""
        with self._lock:
            self._seconds.clear()
            self._buckets = [0] * (len(BOUNDS) + 1)
            self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Keep a duration in seconds; where the ring is full, in place of the oldest."""
        with self._lock:
            self._seconds.append(seconds)
            self._buckets[bisect_left(BOUNDS, seconds)] += 1
            self._sum += seconds

    def summary(self) -> Latency | None:
        """Summarise what the ring holds; None for an empty one."""
        with self._lock:
            seconds = list(self._seconds)
        return summarise_latency(seconds) if seconds else None

    def histogram(self) -> Histogram:
        """What was added since the start."""
        with self._lock:
            return Histogram(tuple(accumulate(self._buckets)), self._sum)


def summarise_latency(seconds: Sequence[float]) -> Latency:
    """Summarise durations given in seconds; percentiles interpolate linearly. Raises ValueError for none."""
    if not len(seconds):
        raise ValueError("there are no durations to summarise")
    milliseconds = np.asarray(seconds, np.float64) * 1000
    p50, p90, p99 = (float(value) for value in np.percentile(milliseconds, (50, 90, 99)))
    return Latency(len(milliseconds), float(milliseconds.mean()), p50, p90, p99, float(milliseconds.max()))
