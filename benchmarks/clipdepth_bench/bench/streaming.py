"""A contender behind the real pipeline, from a camera's picture to depth at its own size."""

from collections.abc import Iterator, Sequence
from itertools import count
from threading import Event
from time import monotonic, sleep

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.manifest import InputSize
from clipdepth.camera.resize import resize_frame
from clipdepth.engines import Engine
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.pipeline.latency import Latency
from clipdepth.sources.frames import FramesSource
from clipdepth_bench.measure.energy import Meter
from clipdepth_bench.report.record import Streaming

HEIGHT, WIDTH = 480, 640
CAMERA_FPS = 30.0
WARM_FRAMES = 2


def measure_streaming(engine: Engine, golden: NDArray[np.uint8], seconds: float, meters: Sequence[Meter]) -> Streaming:
    """Stream golden frames, (N, H, W, 3) uint8 at the model's size, enlarged, for `seconds`, twice.

    First as a camera gives them, of which the newest counts, for the time from capture to depth; then as fast as they
    are taken, for frames a second and the energy of each. The pipeline's first frames, which are not counted, warm its
    thread up: cuDNN chooses PyTorch's kernels for each thread anew, which takes seconds. Raises what the engine raises.
    """
    size = InputSize(*golden.shape[1:3])
    frames = [resize_frame(frame, HEIGHT, WIDTH) for frame in golden]
    latency, _, _ = _stream(engine, size, frames, seconds, CAMERA_FPS)
    _, fps, energy = _stream(engine, size, frames, seconds, None, meters)
    return Streaming(HEIGHT, WIDTH, latency, CAMERA_FPS, fps, energy)


def paced(
    frames: Sequence[NDArray[np.uint8]], seconds: float, fps: float | None = None, warm: Event | None = None
) -> Iterator[NDArray[np.uint8]]:
    """`frames` again and again until `seconds` are over, but at least one; at `fps`, or as they are asked for.

    Where there is an event `warm`, the seconds begin with it.
    """
    start = began = monotonic()
    waits = warm is not None and not warm.is_set()
    for index in count():
        if fps is not None:
            sleep(max(0.0, start + index / fps - monotonic()))
        if waits:
            assert warm is not None
            began, waits = monotonic(), not warm.is_set()
        elif index and monotonic() - began >= seconds:
            return
        yield frames[index % len(frames)]


def _stream(
    engine: Engine,
    size: InputSize,
    frames: Sequence[NDArray[np.uint8]],
    seconds: float,
    fps: float | None,
    meters: Sequence[Meter] = (),
) -> tuple[Latency, float, dict[str, float]]:
    """The time from capture to depth, the depths made in a second, and the energy of each by meter."""
    warm = Event()
    source = FramesSource(paced(frames, seconds, fps, warm), live=fps is not None)
    with Pipeline(engine, [size], [Feed(source)]) as pipeline:
        while pipeline.processed < WARM_FRAMES and not pipeline.wait(0.001):
            pass
        for meter in meters:
            meter.start()
        pipeline.times.clear()
        start, before = monotonic(), pipeline.processed
        warm.set()
        pipeline.wait()
        elapsed, processed = monotonic() - start, pipeline.processed - before
        energy = {meter.name: meter.stop() / processed for meter in meters}
    return pipeline.times.summary()["capture_to_depth"], processed / elapsed, energy
