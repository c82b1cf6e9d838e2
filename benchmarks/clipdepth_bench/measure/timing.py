"""Timing several contenders in one run, in turn, so that a drifting machine drifts for all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clipdepth_bench.measure.duration import Duration, Measure
from clipdepth_bench.measure.samples import Samples

Stop = Literal["precise", "time limit", "rounds", "interrupted"]
"""Why timing ended: every median is sure, the seconds or the rounds are used up, or Ctrl-C."""


@dataclass(frozen=True)
class Limits:
    """When to stop, and how a round is shared."""

    seconds: float = 60.0
    """All rounds together take no longer than that, and one more turn; each contender has one round at least."""
    rounds: int | None = None
    """At most so many rounds."""
    per_round: int | None = None
    """Exactly so many samples a round of each, however slow; else as many as fit into `turn_seconds`, or one."""
    turn_seconds: float = 0.25
    """A contender's share of a round."""
    within: float = 0.02
    """Stop once the 95% interval of every median is within this share of it."""


@dataclass(frozen=True)
class Timing:
    """What `interleave` measured, in the order of its contenders, and why it ended."""

    samples: list[Samples]
    stopped: Stop

    @property
    def rounds(self) -> int:
        """How many rounds there were, the last one perhaps cut short."""
        return max((len(samples.rounds) for samples in self.samples), default=0)


def interleave(
    measures: Sequence[Measure],
    frames: NDArray[np.uint8],
    limits: Limits,
    progress: Callable[[float], None] = lambda seconds: None,
    clock: Callable[[], int] = perf_counter_ns,
) -> Timing:
    """Time `measures` in turn, round by round, until `limits` or Ctrl-C; what was measured until then is kept.

    `frames`, (N, H, W, 3) uint8, are given one by one in turn. A first round warms up and is not counted, nor is the
    first call of each turn. `progress` hears of the seconds used up after each turn; `clock` counts nanoseconds.
    """
    turns = [_Turn(measure, frames, limits, clock) for measure in measures]
    start = clock()

    def seconds() -> float:
        return (clock() - start) / 1e9

    stopped = _run_rounds(turns, limits, seconds, progress) if turns else "rounds"
    timing = Timing([turn.samples for turn in turns], stopped)
    for samples in timing.samples:
        samples.rounds += [[] for _ in range(timing.rounds - len(samples.rounds))]
    return timing


def _run_rounds(
    turns: "Sequence[_Turn]", limits: Limits, seconds: Callable[[], float], progress: Callable[[float], None]
) -> Stop:
    number = 0
    try:
        for turn in turns:
            turn.warm_up()
            progress(seconds())
        while number != limits.rounds:
            for turn in turns:
                if number and seconds() >= limits.seconds:
                    return "time limit"
                others = sum(each.spent for each in turns) - turn.spent
                turn.take(sits_out=turn.is_slow and 0 < others < turn.spent)
                progress(seconds())
            number += 1
            if all(turn.samples.is_precise(limits.within) for turn in turns):
                return "precise"
    except KeyboardInterrupt:
        return "interrupted"
    return "rounds"


class _Turn:
    """A contender's turn, round after round."""

    def __init__(self, measure: Measure, frames: NDArray[np.uint8], limits: Limits, clock: Callable[[], int]) -> None:
        self.samples = Samples()
        self.spent = 0.0
        """Seconds of all its turns that counted."""
        self._measure, self._frames, self._limits, self._clock = measure, frames, limits, clock
        self._next = 0
        self._fastest = float("inf")

    @property
    def is_slow(self) -> bool:
        """Whether its every frame takes more than its share of a round: it gets half of all time at most."""
        return self._limits.per_round is None and self._limits.turn_seconds < self._fastest < float("inf")

    def warm_up(self) -> None:
        """A turn that does not count."""
        self._time([])
        self._next = 0

    def take(self, sits_out: bool) -> None:
        """One turn; an empty one of a contender that sits out."""
        kept: list[Duration] = []
        self.samples.rounds.append(kept)
        start = self._clock()
        if not sits_out:
            self._time(kept)
        self.spent += (self._clock() - start) / 1e9

    def _time(self, kept: list[Duration]) -> None:
        if not self.is_slow:
            # The one before may still hold the cores: idle threads of a pool spin for a while.
            self._measure(self._frames[:1])
        start = self._clock()
        while not kept or self._has_time(len(kept), (self._clock() - start) / 1e9):
            frame = self._frames[self._next % len(self._frames)][None]
            self._next += 1
            kept.append(self._measure(frame))
            self._fastest = min(self._fastest, kept[-1].total)

    def _has_time(self, samples: int, seconds: float) -> bool:
        if self._limits.per_round is not None:
            return samples < self._limits.per_round
        return seconds + self._fastest <= self._limits.turn_seconds
