"""Timing several contenders in one run, in turn, so that a drifting machine drifts for all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from clipdepth.engines import Infer


@dataclass
class Samples:
    """The durations of one contender, in seconds, a list a round."""

    rounds: list[list[float]] = field(default_factory=list)

    @property
    def all(self) -> list[float]:
        """Every sample of every round."""
        return [sample for round_ in self.rounds for sample in round_]


@dataclass(frozen=True)
class Ratio:
    """How many times as long the reference takes: the median over rounds, and the 10th and 90th percentile."""

    p50: float
    p10: float
    p90: float


def interleave(
    infers: Sequence[Infer],
    frames: NDArray[np.uint8],
    rounds: int,
    per_round: int,
    after_round: Callable[[], None] = lambda: None,
    clock: Callable[[], int] = perf_counter_ns,
) -> list[Samples]:
    """Time each of `infers` `per_round` times in each of `rounds`, after one call a round that is not timed.

    `frames`, (N, H, W, 3) uint8, are given one by one in turn. A first round warms up and is not counted;
    `after_round` is called after it too. `clock` counts nanoseconds.
    """
    samples = [Samples() for _ in infers]
    for number in range(rounds + 1):
        for infer, kept in zip(infers, samples, strict=True):
            durations = _time(infer, frames, per_round, clock)
            if number:
                kept.rounds.append(durations)
        after_round()
    return samples


def _time(infer: Infer, frames: NDArray[np.uint8], count: int, clock: Callable[[], int]) -> list[float]:
    # The one before may still hold the cores: idle threads of a pool spin for a while.
    infer(frames[:1])
    durations = []
    for number in range(count):
        frame = frames[number % len(frames)][None]
        start = clock()
        infer(frame)
        durations.append((clock() - start) / 1e9)
    return durations


def ratio_to(reference: Samples, samples: Samples) -> Ratio:
    """How much faster `samples` are than `reference`, round by round: above 1 is faster."""
    pairs = zip(reference.rounds, samples.rounds, strict=True)
    ratios = [np.median(slow) / np.median(fast) for slow, fast in pairs]
    p10, p50, p90 = (float(p) for p in np.percentile(ratios, (10, 50, 90)))
    return Ratio(p50, p10, p90)
