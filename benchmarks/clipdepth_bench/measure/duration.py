"""One frame, timed: by the clock, or by a device's own."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clipdepth.engines import Infer

CLOCK = "clock"
"""`Contender.timed_by` of what `by_clock` times."""


@dataclass(frozen=True)
class Duration:
    """How long a frame took, in seconds, from the host's array to the host's array."""

    total: float
    compute: float | None = None
    """Without the transfers to the device and back; None where they cannot be told apart."""


class Measure(Protocol):
    """Runs and times one batch of frames, (N, H, W, 3) uint8 BGR."""

    def __call__(self, frames: NDArray[np.uint8]) -> Duration:
        """Return when its depth lies in the host's memory."""


def by_clock(infer: Infer, clock: Callable[[], int] = perf_counter_ns) -> Measure:
    """Time `infer`, which waits for its device, by `clock`, which counts nanoseconds."""

    def measure(frames: NDArray[np.uint8]) -> Duration:
        start = clock()
        infer(frames)
        return Duration((clock() - start) / 1e9)

    return measure
