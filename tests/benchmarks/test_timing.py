"""Timing against a clock that the contenders move themselves, and once against a real one."""

import time
from collections.abc import Iterator
from itertools import chain, cycle, repeat
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.fakes import MS, Clock, Worker
from clipdepth_bench.measure.duration import Duration, by_clock
from clipdepth_bench.measure.samples import Ratio, Samples, ratio_text, ratio_to
from clipdepth_bench.measure.timing import Limits, Timing, interleave

FRAMES = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
NEVER = -1.0
"""No interval is as narrow."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


def run(clock: Clock, *workers: Worker, **limits: Any) -> Timing:
    return interleave(workers, FRAMES, Limits(**{"within": NEVER, **limits}), clock=clock)


def seconds(samples: Samples) -> list[list[float]]:
    return [[duration.total for duration in round_] for round_ in samples.rounds]


def test_known_durations_are_measured_exactly(clock: Clock) -> None:
    workers = [Worker(clock, repeat(3 * MS)), Worker(clock, repeat(7 * MS))]
    timing = run(clock, *workers, rounds=4, per_round=5)
    assert [seconds(s) for s in timing.samples] == [[[0.003] * 5] * 4, [[0.007] * 5] * 4]
    assert timing.samples[1].all == [0.007] * 20
    assert timing.samples[1].medians == [0.007] * 4
    assert (timing.stopped, timing.rounds) == ("rounds", 4)


def test_the_first_round_and_the_first_call_of_each_are_not_counted(clock: Clock) -> None:
    def durations() -> Iterator[int]:
        yield from repeat(900 * MS, 3 + 1)  # all of the warm-up round
        while True:
            yield 500 * MS  # the call that opens a round
            yield from (1 * MS, 2 * MS, 3 * MS)

    timing = run(clock, Worker(clock, durations()), rounds=2, per_round=3)
    assert seconds(timing.samples[0]) == [[0.001, 0.002, 0.003]] * 2


def test_contenders_take_turns_round_by_round(clock: Clock) -> None:
    journal: list[str] = []
    workers = [Worker(clock, repeat(MS), journal, name) for name in "ab"]
    run(clock, *workers, rounds=2, per_round=2)
    assert "".join(journal) == "aaabbb" * 3


def test_a_turn_is_a_share_of_time_and_not_of_samples(clock: Clock) -> None:
    timing = run(clock, *(Worker(clock, repeat(ms * MS)) for ms in (10, 100)), rounds=3, turn_seconds=0.25)
    assert [[len(round_) for round_ in s.rounds] for s in timing.samples] == [[25] * 3, [2] * 3]


def test_a_slow_contender_takes_half_of_the_time_and_not_all(clock: Clock) -> None:
    """A frame of 3 s beside two contenders of 10 ms: 0.5 s of each round is theirs."""
    slow, *fast = run(
        clock, *(Worker(clock, repeat(ms * MS)) for ms in (3000, 10, 10)), seconds=60, turn_seconds=0.25
    ).samples
    assert 8 <= len(slow.all) <= 11
    assert all(len(samples.all) > 50 * 20 for samples in fast)
    assert slow.medians.count(None) > 30
    ratio = ratio_to(slow, fast[0])
    assert ratio is not None
    assert (ratio.p10, ratio.p50, ratio.p90) == pytest.approx((300, 300, 300))


def test_slow_contenders_alone_sit_out_no_more_than_they_must(clock: Clock) -> None:
    timing = run(clock, Worker(clock, repeat(2000 * MS)), Worker(clock, repeat(2000 * MS)), rounds=5)
    assert [len(samples.all) for samples in timing.samples] == [5, 5]


def test_a_slow_contender_alone_never_sits_out(clock: Clock) -> None:
    timing = run(clock, Worker(clock, repeat(2000 * MS)), seconds=9)
    assert timing.samples[0].medians == [2.0] * 3, "two frames warm up"


def test_one_slow_frame_makes_no_slow_contender(clock: Clock) -> None:
    """What the machine did once: the call that opens a round stays, and it goes on in the next."""
    durations = chain(repeat(10 * MS, 26 + 1), [9000 * MS], repeat(10 * MS))
    (samples, _) = run(clock, Worker(clock, durations), Worker(clock, repeat(10 * MS)), rounds=3).samples
    assert [len(round_) for round_ in samples.rounds] == [1, 25, 25]


def test_it_stops_at_the_time_limit(clock: Clock) -> None:
    workers = [Worker(clock, repeat(10 * MS)), Worker(clock, repeat(20 * MS))]
    timing = run(clock, *workers, seconds=4)
    assert timing.stopped == "time limit"
    assert 4 <= clock.now / 1e9 < 4.3, "at most a turn more"
    assert [len(samples.rounds) for samples in timing.samples] == [timing.rounds] * 2


def test_each_contender_has_one_round_whatever_the_limit(clock: Clock) -> None:
    timing = run(clock, *(Worker(clock, repeat(5000 * MS)) for _ in range(3)), seconds=1)
    assert [len(samples.all) for samples in timing.samples] == [1, 1, 1]


def test_it_stops_when_every_median_is_sure(clock: Clock) -> None:
    workers = [Worker(clock, repeat(10 * MS)), Worker(clock, cycle([18 * MS, 20 * MS, 22 * MS]))]
    timing = run(clock, *workers, within=0.02, per_round=1)
    assert timing.stopped == "precise"
    steady, wide = timing.samples
    assert steady.is_precise(0.02)
    assert wide.is_precise(0.02)
    assert timing.rounds > 6, "six would do for the steady one"


def test_six_rounds_at_least_are_needed_to_be_sure(clock: Clock) -> None:
    timing = run(clock, Worker(clock, repeat(MS)), within=0.02)
    assert (timing.stopped, timing.rounds) == ("precise", 6)


def test_ctrl_c_keeps_what_was_measured(clock: Clock) -> None:
    def interrupted() -> Iterator[int]:
        yield from repeat(MS, 2 * (1 + 2) + 2)
        raise KeyboardInterrupt

    timing = run(clock, Worker(clock, repeat(MS)), Worker(clock, interrupted()), per_round=2)
    assert timing.stopped == "interrupted"
    assert [[len(round_) for round_ in s.rounds] for s in timing.samples] == [[2, 2], [2, 1]]


def test_whoever_had_no_turn_in_the_last_round_sat_it_out(clock: Clock) -> None:
    def interrupted() -> Iterator[int]:
        yield from repeat(MS, 2 * (1 + 2) + 2)
        raise KeyboardInterrupt

    timing = run(clock, Worker(clock, interrupted()), Worker(clock, repeat(MS)), per_round=2)
    assert [[len(round_) for round_ in s.rounds] for s in timing.samples] == [[2, 1], [2, 0]]


def test_time_between_turns_is_nobodys(clock: Clock) -> None:
    def rest(seconds: float) -> None:
        clock.now += 1000 * MS

    limits = Limits(rounds=3, per_round=2)
    (samples,) = interleave([Worker(clock, repeat(MS))], FRAMES, limits, rest, clock).samples
    assert samples.all == [0.001] * 6


def test_progress_hears_of_the_time_used_up(clock: Clock) -> None:
    heard: list[float] = []
    interleave([Worker(clock, repeat(MS))], FRAMES, Limits(rounds=2, per_round=3), heard.append, clock)
    assert heard == pytest.approx([0.004, 0.008, 0.012])


def test_frames_come_one_by_one_in_turn(clock: Clock) -> None:
    worker = Worker(clock, repeat(MS))
    run(clock, worker, rounds=2, per_round=4)
    assert all(frame.shape == (1, 2, 2, 3) for frame in worker.frames)
    numbers = [int(frame[0, 0, 0, 0]) for frame in worker.frames]
    assert numbers[5:] == [0, 0, 1, 2, 0, 0, 1, 2, 0, 1], "after a warm-up, with a first call each round"


def test_no_contender_no_samples(clock: Clock) -> None:
    assert run(clock).samples == []


def test_a_slow_tail_is_kept(clock: Clock) -> None:
    durations = chain(repeat(MS, 4), [MS, MS, 800 * MS, MS], repeat(MS))
    (samples,) = run(clock, Worker(clock, durations), rounds=2, per_round=3).samples
    assert sorted(samples.all) == [0.001] * 5 + [0.8]


def test_times_without_transfers_are_kept_apart() -> None:
    samples = Samples([[Duration(3.0, 1.0)], [Duration(5.0, 2.0), Duration(4.0)]])
    assert samples.all == [3.0, 5.0, 4.0]
    assert samples.without_transfers is not None
    assert (samples.without_transfers.n, samples.without_transfers.p50) == (2, 1500.0)


def test_a_real_sleep_is_measured_to_two_percent() -> None:
    """What the sleep itself took, which a busy machine makes longer than asked; so it does what lies around it."""
    naps: list[float] = []
    bounds: dict[float, tuple[float, float]] = {}

    def nap(frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
        start = time.perf_counter()
        time.sleep(0.05)
        naps.append(time.perf_counter() - start)
        return np.zeros(frames.shape[:3], np.float32)

    measure = by_clock(nap)

    def watched(frames: NDArray[np.uint8]) -> Duration:
        start = time.perf_counter()
        measured = measure(frames)
        bounds[measured.total] = naps[-1], time.perf_counter() - start
        return measured

    (samples,) = interleave([watched], FRAMES, Limits(rounds=3, per_round=4)).samples
    assert len(samples.all) == 12
    assert min(samples.all) >= 0.05
    assert all(bounds[sample][0] <= sample <= bounds[sample][1] for sample in samples.all)
    assert min(sample / bounds[sample][0] for sample in samples.all) < 1.02


def ratio(slow: list[list[float]], fast: list[list[float]]) -> tuple[float, float, float]:
    found = ratio_to(*(Samples([[Duration(s) for s in round_] for round_ in rounds]) for rounds in (slow, fast)))
    assert found is not None
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


def test_rounds_that_one_sat_out_are_left_out() -> None:
    assert ratio([[8.0], [], [8.0]], [[2.0], [0.001], [2.0]]) == (4.0, 4.0, 4.0)
    assert ratio_to(Samples([[Duration(1.0)], []]), Samples([[], [Duration(1.0)]])) is None


def test_rounds_must_pair_up() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        ratio([[1.0], [1.0]], [[1.0]])


@pytest.mark.parametrize(
    ("value", "text"), [(0.0239, "0.024"), (0.1, "0.10"), (3.914, "3.91"), (99.9, "99.90"), (165.4, "165")]
)
def test_a_ratio_is_said_with_the_digits_that_count(value: float, text: str) -> None:
    assert ratio_text(value) == text
    assert str(Ratio(value, value, value)) == f"{text} ({text} to {text})"
