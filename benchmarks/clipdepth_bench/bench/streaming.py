"""A contender behind the real pipeline, from a camera's picture to depth at its own size."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from time import monotonic, sleep

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.manifest import InputSize
from clipdepth.camera.resize import resize_frame
from clipdepth.engines import Infer
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.pipeline.latency import Latency
from clipdepth.sources.frames import FramesSource
from clipdepth_bench.measure.energy import Meter
from clipdepth_bench.report.record import Streaming

HEIGHT, WIDTH = 480, 640
CAMERA_FPS = 30.0


def measure_streaming(
    name: str, infer: Infer, golden: NDArray[np.uint8], seconds: float, meters: Sequence[Meter]
) -> Streaming:
    """Stream golden frames, (N, H, W, 3) uint8 at the model's size, enlarged, for `seconds`, twice.

    First as a camera gives them, of which the newest counts, for the time from capture to depth; then as fast as they
    are taken, for frames a second and the energy of each. Raises what the contender raises.
    """
    size = InputSize(*golden.shape[1:3])
    frames = [resize_frame(frame, HEIGHT, WIDTH) for frame in golden]
    live = FramesSource(paced(frames, seconds, CAMERA_FPS), live=True)
    latency, _, _ = _stream(name, infer, size, live)
    for meter in meters:
        meter.start()
    _, processed, elapsed = _stream(name, infer, size, FramesSource(paced(frames, seconds)))
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


def _stream(name: str, infer: Infer, size: InputSize, source: FramesSource) -> tuple[Latency, int, float]:
    """The time from capture to depth, the frames whose depth was made, and the seconds of all."""
    start = monotonic()
    with Pipeline(_Engine(name, "", infer), size, [Feed(source)]) as pipeline:
        pipeline.wait()
    elapsed = monotonic() - start
    return pipeline.times.summary()["capture_to_depth"], pipeline.processed, elapsed


@dataclass
class _Engine:
    """A contender as the pipeline takes it."""

    name: str
    device: str
    infer: Infer
    close: Callable[[], None] = lambda: None
