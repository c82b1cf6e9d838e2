"""The loop from frames to depth: one frame after the other, none left out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

from clipdepth.engines import Engine
from clipdepth.latency import Latency, summarise_latency
from clipdepth.manifest import InputSize
from clipdepth.resize import resize_depth, resize_frame
from clipdepth.sources import Captured


@dataclass
class StageTimes:
    """Seconds that each frame spent in each stage.

    `resize` is to the model's size and back, `engine` the graph, `total` from the frame at its own size to
    its depth at that size. Reading the frame and writing the depth are not in it.
    """

    resize: list[float] = field(default_factory=list)
    engine: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, Latency]:
        """Stage by stage; empty when no frame was timed."""
        stages = {"resize": self.resize, "engine": self.engine, "total": self.total}
        return {stage: summarise_latency(seconds) for stage, seconds in stages.items() if seconds}


def stream(
    engine: Engine, size: InputSize, frames: Iterable[Captured], times: StageTimes
) -> Iterator[tuple[Captured, NDArray[np.float32]]]:
    """Yield each frame with its depth, (H, W) float32 metres at the frame's own size; add to `times`."""
    for captured in frames:
        yield captured, estimate_depth(engine, size, captured.frame, times)


def estimate_depth(engine: Engine, size: InputSize, frame: NDArray[np.uint8], times: StageTimes) -> NDArray[np.float32]:
    """The depth of one frame, (H, W, 3) uint8 BGR, as (H, W) float32 metres; adds to `times`."""
    start = perf_counter_ns()
    resized = resize_frame(frame, size.height, size.width)
    before = perf_counter_ns()
    raw = engine.infer(resized[None])
    after = perf_counter_ns()
    depth = resize_depth(raw[0], *frame.shape[:2])
    end = perf_counter_ns()
    times.resize.append((before - start + end - after) / 1e9)
    times.engine.append((after - before) / 1e9)
    times.total.append((end - start) / 1e9)
    return depth
