import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bundles import brightness_depth, write_bundle
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.manifest import InputSize
from clipdepth.engines import load_engine
from clipdepth.errors import OutputError
from clipdepth.frame import DepthFrame
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.pipeline.slot import Slot, Stopped
from clipdepth.sinks.video import VideoSink
from clipdepth.sources.frames import FramesSource
from live_servers import wait_until
from slow_stages import SIZE, Kept, SlowEngine, threads


def pictures(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8))


def camera(fps: float = 200, count: int | None = None) -> FramesSource:
    """A live source; each frame is as bright as its number, and it ends after `count` or never."""

    def frames() -> Iterator[np.ndarray]:
        index = 0
        while count is None or index < count:
            yield np.full((48, 64, 3), index % 256, np.uint8)
            index += 1
            time.sleep(1 / fps)

    return FramesSource(frames(), live=True, name="camera")


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert wait_until(lambda: not threads(), 10), threads()


def run(engine: Any, *feeds: Feed, limit: int | None = None) -> Pipeline:
    with Pipeline(engine, [SIZE], feeds, limit) as pipeline:
        assert pipeline.wait(60)
    return pipeline


def test_every_frame_of_a_file_arrives_in_order_with_the_graphs_depth(tmp_path: Path) -> None:
    given, sink = pictures(20), Kept()
    engine = load_engine(open_bundle(write_bundle(tmp_path / "b")), threads=1)
    pipeline = run(engine, Feed(FramesSource(given), [sink]))
    engine.close()
    assert sink.indices == list(range(20))
    for ((image, depth), _), frame in zip(sink.got, given, strict=True):
        np.testing.assert_array_equal(image, frame)
        assert depth.dtype == np.float32
        np.testing.assert_allclose(depth, brightness_depth(frame), rtol=1e-6)
    counts = pipeline.branches[0].counts
    assert (counts.captured, counts.processed, counts.dropped) == (20, 20, {})
    assert sink.closed


def test_depth_comes_back_at_the_frames_own_size_which_may_change() -> None:
    sizes = [(96, 128), (30, 40), (48, 64)]
    ramps = [np.tile(np.linspace(0, 255, width), (height, 1)) for height, width in sizes]
    frames = [np.repeat(ramp[..., None], 3, axis=2).astype(np.uint8) for ramp in ramps]
    sink = Kept()
    run(SlowEngine(), Feed(FramesSource(frames), [sink]))
    for ((_, depth), _), frame in zip(sink.got, frames, strict=True):
        # A ramp is one whatever its size: away from the borders the depth is that of the frame's own pixels.
        assert depth.shape == frame.shape[:2]
        assert np.abs(depth - brightness_depth(frame))[:, 4:-4].max() < 0.1


def test_a_slow_sink_slows_a_file_down_and_loses_nothing() -> None:
    slow, fast = Kept(0.01), Kept()
    run(SlowEngine(), Feed(FramesSource(pictures(15)), [slow, fast]))
    assert slow.indices == fast.indices == list(range(15))


def test_a_slow_sink_of_a_camera_misses_frames_and_delays_neither_engine_nor_other_sinks() -> None:
    slow, fast = Kept(0.5), Kept()
    engine = SlowEngine()
    with Pipeline(engine, [SIZE], [Feed(camera(), [slow, fast])]) as pipeline:
        assert wait_until(lambda: len(fast.got) >= 100)
        assert len(slow.got) < len(fast.got) / 2
    counts = pipeline.branches[0].counts
    assert counts.dropped["kept"] > 20
    assert slow.indices == sorted(slow.indices)


def test_each_captured_frame_of_a_camera_is_processed_or_counted_as_dropped() -> None:
    pipeline = run(SlowEngine(0.02), Feed(camera(500, count=100), [Kept()]))
    counts = pipeline.branches[0].counts
    assert counts.captured == 100
    assert counts.processed + counts.dropped.get("resize", 0) + counts.dropped["engine"] == 100
    assert pipeline.processed == counts.processed < 60


def test_frames_that_come_faster_than_they_are_resized_are_counted_too() -> None:
    frames = [np.zeros((2000, 2000, 3), np.uint8)] * 200
    counts = run(SlowEngine(), Feed(FramesSource(frames, live=True))).branches[0].counts
    assert counts.dropped["resize"] > 0
    assert counts.processed + sum(counts.dropped.values()) == counts.captured == 200


def test_depth_of_a_camera_stays_fresh_however_slow_the_engine_is() -> None:
    period, sink = 0.1, Kept()
    with Pipeline(SlowEngine(period), [SIZE], [Feed(camera(60), [sink])]):
        assert wait_until(lambda: len(sink.got) >= 20)
    ages = [(delivered - frame.captured_ns) / 1e9 for frame, delivered in sink.got[2:]]
    # The median, since one moment of a busy machine is no delay of ours; a queue would make it grow without end.
    assert np.median(ages) < 2 * period
    assert np.median(ages[-5:]) < 2 * period
    assert sink.indices[-1] > 2 * len(sink.got)


def test_latency_from_capture_to_depth_holds_every_stage_and_the_waiting() -> None:
    pipeline = run(SlowEngine(0.05), Feed(camera(100, count=30), []))
    summary = pipeline.times.summary()
    assert {latency.n for latency in summary.values()} == {pipeline.processed}
    assert summary["engine"].p50 >= 50
    assert summary["total"].mean == pytest.approx(summary["resize"].mean + summary["engine"].mean)
    assert summary["capture_to_depth"].p50 >= summary["total"].p50


def test_sources_take_turns_with_the_engine() -> None:
    sinks = [Kept(), Kept(), Kept()]
    with Pipeline(SlowEngine(0.02), [SIZE], [Feed(camera(500), [sink]) for sink in sinks]):
        assert wait_until(lambda: sum(len(sink.got) for sink in sinks) >= 45)
    shares = [len(sink.got) for sink in sinks]
    assert max(shares) - min(shares) <= 4


def test_frames_of_several_sources_go_through_a_graph_that_takes_a_batch_together(tmp_path: Path) -> None:
    bundle = open_bundle(write_bundle(tmp_path / "b", max_batch=2))
    given = [pictures(12), pictures(7)[::-1], pictures(9, 30, 40)]
    sinks = [Kept() for _ in given]
    engine = load_engine(bundle, threads=1)
    feeds = [Feed(FramesSource(frames), [sink]) for frames, sink in zip(given, sinks, strict=True)]
    with Pipeline(engine, bundle.manifest.inputs, feeds) as pipeline:
        assert pipeline.wait(60)
    engine.close()
    for sink, frames in zip(sinks, given, strict=True):
        assert sink.indices == list(range(len(frames)))
        for ((image, depth), _), frame in zip(sink.got, frames, strict=True):
            expected = brightness_depth(frame)
            assert depth.shape == image.shape[:2]
            assert abs(depth.mean() - expected.mean()) < 0.02


@pytest.mark.parametrize("max_batch", [1, 2, 8])
def test_a_batch_is_of_what_is_ready_and_no_larger_than_the_graph_takes(max_batch: int) -> None:
    engine = SlowEngine(0.01)
    sinks = [Kept() for _ in range(3)]
    feeds = [Feed(FramesSource(pictures(20)), [sink]) for sink in sinks]
    with Pipeline(engine, [InputSize(SIZE.height, SIZE.width, max_batch)], feeds) as pipeline:
        assert pipeline.wait(60)
    assert min(max_batch, 2) <= max(engine.batches) <= min(max_batch, 3)
    assert sum(engine.batches) == 60
    assert all(sink.indices == list(range(20)) for sink in sinks)


def test_no_frame_is_read_before_every_sink_is_open() -> None:
    class Refusing(Kept):
        def __enter__(self) -> "Refusing":
            time.sleep(0.3)
            raise OutputError("it is there already")

    sink = Kept()
    with pytest.raises(OutputError, match="there already"):
        run(SlowEngine(), Feed(FramesSource(pictures(50)), [sink, Refusing()]))
    assert sink.got == []
    assert sink.closed


def test_a_file_whose_sink_is_stuck_does_not_hold_up_a_camera() -> None:
    free = threading.Event()

    class Stuck(Kept):
        def write(self, frame: DepthFrame) -> None:
            free.wait()
            super().write(frame)

    stuck, sink = Stuck(), Kept()
    with Pipeline(
        SlowEngine(), [SIZE], [Feed(FramesSource(pictures(30)), [stuck]), Feed(camera(), [sink])]
    ) as pipeline:
        assert wait_until(lambda: len(sink.got) >= 100)
        assert pipeline.branches[0].counts.processed <= 5
        free.set()
        assert wait_until(lambda: stuck.closed)
    assert stuck.indices == list(range(30))


def test_a_source_that_ends_first_has_its_sinks_closed_while_the_other_runs() -> None:
    short, long = Kept(), Kept()
    with Pipeline(SlowEngine(), [SIZE], [Feed(FramesSource(pictures(3)), [short]), Feed(camera(), [long])]):
        assert wait_until(lambda: short.closed)
        assert short.indices == [0, 1, 2]
        assert not long.closed


def test_the_limit_counts_depths_of_each_source() -> None:
    file, live = Kept(), Kept()
    pipeline = run(SlowEngine(0.01), Feed(FramesSource(pictures(9)), [file]), Feed(camera(), [live]), limit=4)
    assert file.indices == [0, 1, 2, 3]
    assert len(live.got) == 4
    assert [branch.counts.processed for branch in pipeline.branches] == [4, 4]
    assert pipeline.branches[0].counts.captured == 4


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("stage", ["source", "engine", "sink"])
def test_an_error_in_any_stage_ends_all_and_leaves_a_video_that_plays(tmp_path: Path, stage: str, live: bool) -> None:
    def frames() -> Iterator[np.ndarray]:
        for index, frame in enumerate(pictures(500)):
            if stage == "source" and index == 100:
                raise ValueError("no such frame")
            yield frame
            time.sleep(0.005)

    engine = SlowEngine(fails_at=5 if stage == "engine" else None)
    failing = Kept(fails_at=5 if stage == "sink" else None)
    video = VideoSink(tmp_path / "x.mp4", 0.3, 6)
    said = {"source": "no such frame", "engine": "the device is gone", "sink": "the disk is full"}[stage]

    def go() -> None:
        with Pipeline(engine, [SIZE], [Feed(FramesSource(frames(), live=live), [failing, video])]) as pipeline:
            pipeline.wait(60)

    start = time.monotonic()
    with pytest.raises((RuntimeError, OSError, ValueError), match=said):
        go()
    assert time.monotonic() - start < 30
    assert failing.closed
    assert cv2.VideoCapture(str(tmp_path / "x.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) >= 1


def test_leaving_early_closes_everything_and_keeps_the_video(tmp_path: Path) -> None:
    video, sink = VideoSink(tmp_path / "x.mp4", 0.3, 6), Kept()

    def interrupted() -> None:
        with Pipeline(SlowEngine(), [SIZE], [Feed(camera(), [video, sink])]):
            assert wait_until(lambda: len(sink.got) >= 20)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert sink.closed
    assert cv2.VideoCapture(str(tmp_path / "x.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) >= 5


def test_a_source_that_blocks_does_not_keep_the_rest_from_closing(caplog: pytest.LogCaptureFixture) -> None:
    unblock = threading.Event()

    def frames() -> Iterator[np.ndarray]:
        yield from pictures(3)
        unblock.wait()

    sink = Kept()
    with Pipeline(SlowEngine(), [SIZE], [Feed(FramesSource(frames(), live=True, name="stuck"), [sink])]):
        assert wait_until(lambda: bool(sink.got))
        start = time.monotonic()
    assert time.monotonic() - start < 5
    assert sink.closed
    assert threads() == ["clipdepth-capture"]
    assert "stuck is still in a read" in caplog.text
    unblock.set()


def test_waiting_threads_use_no_processor_time() -> None:
    unblock = threading.Event()

    def frames() -> Iterator[np.ndarray]:
        unblock.wait()
        yield from ()

    with Pipeline(SlowEngine(), [SIZE], [Feed(FramesSource(frames()), [Kept(), Kept()])]):
        before = time.process_time()
        time.sleep(1)
        used = time.process_time() - before
        unblock.set()
    assert used < 0.3


def test_a_slot_waits_or_keeps_the_newest() -> None:
    newest: Slot[int] = Slot(2, newest_only=True)
    assert [newest.put(number) for number in range(4)] == [0, 0, 1, 1]
    newest.end()
    assert list(newest) == [2, 3]

    waiting: Slot[int] = Slot()
    taken: list[int] = []
    taker = threading.Thread(target=lambda: taken.extend(waiting))
    taker.start()
    assert [waiting.put(number) for number in range(50)] == [0] * 50
    waiting.end()
    taker.join()
    assert taken == list(range(50))


def test_a_stopped_slot_lets_both_sides_go() -> None:
    slot: Slot[int] = Slot()
    slot.put(1)
    raised: list[bool] = []

    def give() -> None:
        with pytest.raises(Stopped):
            slot.put(2)
        raised.append(True)

    giver = threading.Thread(target=give)
    giver.start()
    slot.stop()
    giver.join(30)
    assert raised == [True]
    assert list(slot) == []
    with pytest.raises(Stopped):
        slot.take()


def test_a_script_that_dies_in_its_loop_ends_and_closes_its_files(tmp_path: Path) -> None:
    """Its traceback keeps the pipeline alive: only the interpreter's end can close it."""
    script = f"""
import numpy as np
from pathlib import Path
from clipdepth.bundle.answer import Answer
from clipdepth.bundle.manifest import InputSize
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.sinks.video import VideoSink
from clipdepth.sources.frames import FramesSource
from itertools import repeat

class Engine:
    def infer(self, frames, segmentation=None):
        return Answer(frames.mean(axis=3, dtype=np.float32))

def depths():
    source = FramesSource(repeat(np.zeros((48, 64, 3), np.uint8)))
    sink = VideoSink(Path({str(tmp_path / "x.mp4")!r}), 0.3, 6)
    pipeline = Pipeline(Engine(), [InputSize(48, 64)], [Feed(source, [sink])])
    queue = pipeline.branches[0].queue("loop")
    with pipeline:
        for result in queue:
            yield result

kept = depths()
for number, result in enumerate(kept):
    if number == 10:
        raise ValueError("of the user's own")
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "ValueError: of the user's own"
    assert cv2.VideoCapture(str(tmp_path / "x.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) >= 5


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_a_pipeline_that_is_interrupted_while_it_starts_leaves_no_thread() -> None:
    class Interrupting(Kept):
        def __enter__(self) -> "Interrupting":
            # The main thread waits for this one.
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.2)
            return self

    source = FramesSource(iter(pictures(3)))
    with pytest.raises(KeyboardInterrupt), Pipeline(SlowEngine(), [SIZE], [Feed(source, [Interrupting()])]):
        pass
    assert threads() == []
