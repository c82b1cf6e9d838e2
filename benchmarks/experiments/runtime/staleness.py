"""How old depth is when it is delivered, when the engine is slower than the camera; and in a loop without clipdepth.

    python benchmarks/experiments/runtime/staleness.py BUNDLE [--video VIDEO] [--minutes 10] [--fps 60]
                                                       [--engine-ms 100] [--rtsp]

The engine is the bundle's, slowed down to `--engine-ms` a frame. The naive loop takes frame after frame, in order, from
a camera whose driver keeps what was not read yet, as OpenCV's captures do; to spare the processor it only waits as
long as the engine takes. Both run at the same time and print a row a minute: p50, p99 and the greatest age, ms.

With `--rtsp` the frames come from an RTSP server in another process, and the ages are by the clock that its pictures
show (`rtsp_clock.py`), so that whatever waits in the encoder, the network or the decoder counts as well.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from queue import Queue
from threading import Event, Thread

import numpy as np
from figures import (
    Stamps,
    arguments,
    camera,
    note,
    percentile,
    print_heading,
    print_machine,
    print_row,
    real_frames,
    say,
)
from numpy.typing import NDArray
from rtsp_clock import Shown, clock_server

from clipdepth.bundle.answer import Answer
from clipdepth.engines import Engine
from clipdepth.engines.operations import Operation
from clipdepth.model import load
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.sources import Source, open_source

MINUTE = 60.0


class Slowed:
    """An engine that takes as long as it is told to."""

    def __init__(self, engine: Engine, seconds: float) -> None:
        self.name, self.device = engine.name, engine.device
        self._engine, self._seconds = engine, seconds

    def infer(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
        """See `Engine.infer`."""
        due = time.monotonic() + self._seconds
        answer = self._engine.infer(frames, segmentation)
        time.sleep(max(0.0, due - time.monotonic()))
        return answer

    def operations(self) -> list[Operation]:
        """See `Engine.operations`."""
        return self._engine.operations()

    def profile(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> list[Operation]:
        """See `Engine.profile`; those of the engine that is not slowed."""
        return self._engine.profile(frames, segmentation)

    def close(self) -> None:
        """See `Engine.close`."""
        self._engine.close()


class Naive:
    """Frame after frame from a buffer that a camera fills."""

    def __init__(self, fps: float, seconds: float) -> None:
        self.ages: list[float] = []
        self._buffer: Queue[float | None] = Queue()
        self._stop = Event()
        self._threads = [Thread(target=self._fill, args=[1 / fps]), Thread(target=self._work, args=[seconds])]

    def __enter__(self) -> "Naive":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _fill(self, period: float) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            self._buffer.put(time.monotonic())
            due += period
        self._buffer.put(None)  # so that who waits for a frame ends

    def _work(self, seconds: float) -> None:
        while not self._stop.is_set() and (captured := self._buffer.get()) is not None:
            time.sleep(seconds)
            self.ages.append(time.monotonic() - captured)


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--fps", type=float, default=60)
    parser.add_argument("--engine-ms", type=float, default=100)
    parser.add_argument("--rtsp", action="store_true", help="frames of an RTSP server instead of --video")
    options = parser.parse_args()
    seconds, stamps = options.engine_ms / 1000, Shown() if options.rtsp else Stamps()
    print_machine()
    with ExitStack() as stack, load(options.bundle, engine="onnxruntime") as model:
        source: Source = (
            open_source(stack.enter_context(clock_server(round(options.fps))))
            if options.rtsp
            else camera(real_frames(options.video), options.fps)
        )
        slowed = Slowed(model.engine, seconds)
        pipeline = Pipeline(slowed, model.bundle.manifest.inputs, [Feed(source, [stamps])])
        with Naive(options.fps, seconds) as naive, pipeline:
            print_minutes({"clipdepth": stamps.ages, "naive": naive.ages}, options.minutes, pipeline.wait)
    counts = pipeline.branches[0].counts
    late = np.mean(np.array(stamps.ages) > 2 * seconds)
    say(f"\nclipdepth: {counts.captured} frames captured, {counts.processed} processed, dropped {counts.dropped}.")
    engine_ms = pipeline.times.summary()["engine"]
    say(f"Its engine, ms: p50 {engine_ms.p50:.0f}, p99 {engine_ms.p99:.0f}, max {engine_ms.max:.0f}.")
    say(f"Older than two periods of the engine ({2 * options.engine_ms:g} ms): {100 * late:.2f}% of its depths.")


def print_minutes(ages: dict[str, list[float]], minutes: float, wait: Callable[[float], bool]) -> None:
    """Print a row for each minute, or part of one, as it ends."""
    print_heading("minute", *(f"{name}: {what}" for name in ages for what in ("p50", "p99", "max", "n")))
    seen, left, number = dict.fromkeys(ages, 0), minutes * MINUTE, 0
    while left > 0:
        wait(min(MINUTE, left))
        left, number = left - MINUTE, number + 1
        cells: list[object] = [number]
        for name, all_ages in ages.items():
            new = all_ages[seen[name] :]
            seen[name] += len(new)
            cells += [f"{percentile(new, percent):.0f}" for percent in (50, 99, 100)] + [len(new)]
        print_row(*cells)
        note(f"minute {number} is over")


if __name__ == "__main__":
    main()
