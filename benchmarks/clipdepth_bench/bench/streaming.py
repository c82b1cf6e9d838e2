"""A contender behind the real pipeline, from a camera's picture to depth at its own size."""

from collections.abc import Iterator, Sequence
from itertools import count
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


def measure_streaming(engine: Engine, golden: NDArray[np.uint8], seconds: float, meters: Sequence[Meter]) -> Streaming:
    """Stream golden frames, (N, H, W, 3) uint8 at the model's size, enlarged, for `seconds`, twice.

    First as a camera gives them, of which the newest counts, for the time from capture to depth; then as fast as they
    are taken, for frames a second and the energy of each. Raises what the engine raises.
    """
    size = InputSize(*golden.shape[1:3])
    frames = [resize_frame(frame, HEIGHT, WIDTH) for frame in golden]
    live = FramesSource(paced(frames, seconds, CAMERA_FPS), live=True)
    latency, _, _ = _stream(engine, size, live)
    for meter in meters:
        meter.start()
    _, processed, elapsed = _stream(engine, size, FramesSource(paced(frames, seconds)))
    energy = {meter.name: meter.stop() / processed for meter in meters}
    return Streaming(HEIGHT, WIDTH, latency, CAMERA_FPS, processed / elapsed, energy)


def paced(frames: Sequence[NDArray[np.uint8]], seconds: float, fps: float | None = None) -> Iterator[NDArray[np.uint8]]:
    """`frames` again and again until `seconds` are over, but at least one; at `fps`, or as they are asked for."""
    start = monotonic()
    for index in count():
        if fps is not None:
            sleep(max(0.0, start + index / fps - monotonic()))
        if index and monotonic() - start >= seconds:
            return
        yield frames[index % len(frames)]


def _stream(engine: Engine, size: InputSize, source: FramesSource) -> tuple[Latency, int, float]:
    """The time from capture to depth, the frames whose depth was made, and the seconds of all."""
    start = monotonic()
    with Pipeline(engine, [size], [Feed(source)]) as pipeline:
        pipeline.wait()
    elapsed = monotonic() - start
    return pipeline.times.summary()["capture_to_depth"], pipeline.processed, elapsed
