"""The pipeline around a contender that sleeps for a known time."""

import time
from threading import local

import numpy as np
import pytest
from numpy.typing import NDArray

from clipdepth.bundle.answer import Answer
from clipdepth_bench.bench.streaming import WARM_FRAMES, measure_streaming, paced
from clipdepth_bench.contender import ContenderEngine

GOLDEN = np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3), dtype=np.uint8)


class Sleeper:
    """An engine that takes 100 ms."""

    def __init__(self) -> None:
        self.seen: list[NDArray[np.uint8]] = []

    def __call__(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
        self.seen.append(frames.copy())
        time.sleep(0.1)
        return Answer(np.ones(frames.shape[:3], np.float32))


class CountingMeter:
    """Nine joules from each start to its stop."""

    name = "wall socket"

    def __init__(self) -> None:
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> float:
        self.calls.append("stop")
        return 9.0


def test_capture_to_depth_holds_the_engine_and_the_way_to_it() -> None:
    engine, meter = Sleeper(), CountingMeter()
    found = measure_streaming(ContenderEngine("sleeper", "CPU", engine), GOLDEN, 0.4, [meter])
    assert found.capture_to_depth_ms.p50 >= 100
    assert 2 <= found.capture_to_depth_ms.n <= 8, "of a camera's twelve frames, those that were the newest"
    assert found.fps <= 10
    assert (found.height, found.width, found.camera_fps) == (480, 640, 30)
    assert {frames.shape for frames in engine.seen} == {(1, 24, 32, 3)}
    assert meter.calls == ["start", "stop"]
    processed = len(engine.seen) - found.capture_to_depth_ms.n - 2 * WARM_FRAMES
    assert 9 / (processed + 1) <= found.energy_j["wall socket"] <= 9 / (processed - 1)
    assert found.fps == pytest.approx(processed / 0.6, rel=0.6)


def test_what_a_thread_needs_at_its_first_frame_is_not_measured() -> None:
    """As cuDNN does, which tries its kernels in each thread anew."""
    thread, tuned = local(), list[str]()

    def engine(frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
        if not hasattr(thread, "tuned"):
            thread.tuned = True
            tuned.append("a thread")
            time.sleep(1.0)
        time.sleep(0.02)
        return Answer(np.ones(frames.shape[:3], np.float32))

    found = measure_streaming(ContenderEngine("tuner", "CPU", engine), GOLDEN, 0.5, [])
    assert len(tuned) == 2
    # A second on the way to a depth, or in the half second that frames are counted for, would show.
    assert found.capture_to_depth_ms.max < 1000
    assert found.fps > 5


def test_a_contender_slower_than_the_time_has_a_frame() -> None:
    assert measure_streaming(ContenderEngine("sleeper", "CPU", Sleeper()), GOLDEN, 0.001, []).capture_to_depth_ms.n >= 1


def test_frames_come_again_and_again_at_their_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr("clipdepth_bench.bench.streaming.monotonic", lambda: now)
    monkeypatch.setattr("clipdepth_bench.bench.streaming.sleep", sleep)
    frames, times = [], []
    for frame in paced([GOLDEN[0], GOLDEN[1]], 0.25, 16.0):
        frames.append(frame)
        times.append(now)
    assert times == [0, 1 / 16, 2 / 16, 3 / 16]
    assert all(np.array_equal(frame, GOLDEN[index % 2]) for index, frame in enumerate(frames))
    assert frames[1] is not frames[0]
    assert len(list(paced([GOLDEN[0]], 0.0))) == 1


def test_what_a_contender_raises_is_raised() -> None:
    def broken(frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        measure_streaming(ContenderEngine("broken", "CPU", broken), GOLDEN, 0.1, [])
