"""Timing against a clock that the contenders move themselves, and once against a real one."""

import time
from collections.abc import Iterable, Iterator
from itertools import chain, repeat

import numpy as np
import pytest
from numpy.typing import NDArray

from clipdepth_bench.timing import Samples, interleave, ratio_to

FRAMES = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
MS = 1_000_000


class Clock:
    """Nanoseconds, which pass only when something takes time."""

    def __init__(self) -> None:
        self.now = 17

    def __call__(self) -> int:
        return self.now


class Worker:
    """Takes `durations`, in nanoseconds, one after another, and notes the frames it was given."""

    def __init__(self, clock: Clock, durations: Iterable[int], journal: list[str], name: str = "a") -> None:
        self._clock, self._durations, self._journal, self._name = clock, iter(durations), journal, name
        self.frames: list[NDArray[np.uint8]] = []

    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.frames.append(frames)
        self._journal.append(self._name)
        self._clock.now += next(self._durations)
        return np.zeros(frames.shape[:3], np.float32)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_known_durations_are_measured_exactly(clock: Clock) -> None:
    workers = [Worker(clock, repeat(3 * MS), []), Worker(clock, repeat(7 * MS), [])]
    samples = interleave(workers, FRAMES, rounds=4, per_round=5, clock=clock)
    assert [s.rounds for s in samples] == [[[0.003] * 5] * 4, [[0.007] * 5] * 4]
    assert samples[1].all == [0.007] * 20


def test_the_first_round_and_the_first_call_of_each_are_not_counted(clock: Clock) -> None:
    def durations() -> Iterator[int]:
        yield from repeat(900 * MS, 3 + 1)  # all of the warm-up round
        while True:
            yield 500 * MS  # the call that opens a round
            yield from (1 * MS, 2 * MS, 3 * MS)

    (samples,) = interleave([Worker(clock, durations(), [])], FRAMES, rounds=2, per_round=3, clock=clock)
    assert samples.rounds == [[0.001, 0.002, 0.003]] * 2


def test_contenders_take_turns_round_by_round(clock: Clock) -> None:
    journal: list[str] = []
    workers = [Worker(clock, repeat(MS), journal, name) for name in "ab"]
    interleave(workers, FRAMES, rounds=2, per_round=2, after_round=lambda: journal.append("|"), clock=clock)
    assert "".join(journal) == "aaabbb|" * 3


def test_time_between_rounds_is_nobodys(clock: Clock) -> None:
    def rest() -> None:
        clock.now += 1000 * MS

    (samples,) = interleave([Worker(clock, repeat(MS), [])], FRAMES, 3, 2, rest, clock)
    assert samples.all == [0.001] * 6


def test_frames_come_one_by_one_in_turn(clock: Clock) -> None:
    worker = Worker(clock, repeat(MS), [])
    interleave([worker], FRAMES, rounds=1, per_round=5, clock=clock)
    assert all(frame.shape == (1, 2, 2, 3) for frame in worker.frames)
    assert [int(frame[0, 0, 0, 0]) for frame in worker.frames] == [0, 0, 1, 2, 0, 1] * 2


def test_no_contender_no_samples() -> None:
    assert interleave([], FRAMES, 3, 3) == []


def test_a_slow_tail_is_kept(clock: Clock) -> None:
    durations = chain(repeat(MS, 4), [MS, MS, 800 * MS, MS], repeat(MS))
    (samples,) = interleave([Worker(clock, durations, [])], FRAMES, 2, 3, clock=clock)
    assert sorted(samples.all) == [0.001] * 5 + [0.8]


def test_a_real_sleep_is_measured() -> None:
    def nap(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        time.sleep(0.02)
        return np.zeros(frames.shape[:3], np.float32)

    (samples,) = interleave([nap], FRAMES, rounds=2, per_round=4)
    assert min(samples.all) >= 0.0199
    assert np.median(samples.all) < 0.1


def ratio(slow: list[list[float]], fast: list[list[float]]) -> tuple[float, float, float]:
    found = ratio_to(Samples(slow), Samples(fast))
    return found.p10, found.p50, found.p90


def test_the_ratio_is_that_of_the_rounds_medians() -> None:
    assert ratio([[2.0, 4.0, 90.0]], [[0.5, 1.0, 1.5]]) == (4.0, 4.0, 4.0)


def test_percentiles_are_over_rounds_and_linear() -> None:
    slow, fast = [[r] for r in (5.0, 1.0, 4.0, 2.0, 3.0)], [[1.0]] * 5
    assert ratio(slow, fast) == pytest.approx((1.4, 3.0, 4.6))


def test_a_drift_that_both_share_cancels() -> None:
    drift = [1.0, 3.0, 9.0, 0.5]
    slow, fast = [[0.3 * d] * 3 for d in drift], [[0.1 * d] * 3 for d in drift]
    assert ratio(slow, fast) == pytest.approx((3.0, 3.0, 3.0))


def test_rounds_must_pair_up() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        ratio([[1.0], [1.0]], [[1.0]])
