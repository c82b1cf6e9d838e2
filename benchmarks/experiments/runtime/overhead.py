"""What the pipeline adds to the engine's time, for 640×480.

    python benchmarks/experiments/runtime/overhead.py BUNDLE [--video VIDEO] [--engines onnxruntime openvino]
                                                      [--frames 200]

In each round the engine alone, the pipeline on a live source, and the pipeline on a video file, in turn. Live: frames
come at such a rate that the engine works for `--load` of the time, and end to end is from capture to the sink. File:
frames wait for the engine on purpose, so it is the time between two depths. Overhead is the p50 of that less the
engine's p50, once as the pipeline timed it in the same seconds, and once alone, called with the same pauses.
"""

import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from figures import (
    HEIGHT,
    WIDTH,
    Frame,
    Stamps,
    arguments,
    camera,
    note,
    paced,
    percentile,
    print_heading,
    print_machine,
    print_row,
    real_frames,
    run,
    spread,
)

from clipdepth.bundle.folder import open_bundle
from clipdepth.camera.resize import resize_frame
from clipdepth.engines import Engine
from clipdepth.model import load
from clipdepth.pipeline import Feed
from clipdepth.sources.video import open_video

MARGIN_MS, SHARE = 2.0, 0.1
"""The overhead that is wanted at most: so many milliseconds, and this share of the engine's time."""


@dataclass(frozen=True)
class Round:
    """What one round found, p50, milliseconds."""

    alone: float
    within: float
    """The engine in the pipeline."""
    whole: float

    @property
    def overhead(self) -> float:
        """What the pipeline adds to the engine within it."""
        return self.whole - self.within

    @property
    def over_alone(self) -> float:
        """What it adds to the engine alone."""
        return self.whole - self.alone


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--engines", nargs="+", default=["onnxruntime", "openvino"])
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--frames", type=int, default=200, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--load", type=float, default=0.7)
    options = parser.parse_args()
    frames, bundle = real_frames(options.video), open_bundle(options.bundle)
    size = bundle.manifest.input.height, bundle.manifest.input.width
    print_machine()
    columns = ("engine alone, ms", "in the pipeline", "end to end", "overhead", "over the engine alone", "wanted")
    print_heading("engine", "source", *columns, "n")
    with tempfile.TemporaryDirectory() as folder:
        video = write_video(Path(folder) / "frames.mp4", frames, options.frames)
        for name in options.engines:
            with load(bundle, engine=name, precision=options.precision) as model:
                found: dict[str, list[Round]] = {"live": [], "file": []}
                for number in range(options.rounds):
                    note(f"{name}: round {number + 1} of {options.rounds}")
                    found["live"].append(live(model.engine, frames, size, options.frames, options.load))
                    found["file"].append(file(model.engine, frames, size, options.frames, video))
                for source, rounds in found.items():
                    show(f"{name} {options.precision}", source, rounds, options.frames)


def show(engine: str, source: str, rounds: list[Round], frames: int) -> None:
    """Print a row."""
    times = [spread([getattr(one, key) for one in rounds]) for key in ("alone", "within", "whole")]
    wanted = MARGIN_MS + SHARE * float(np.median([one.alone for one in rounds]))
    overheads = [spread([getattr(one, key) for one in rounds], 2) for key in ("overhead", "over_alone")]
    print_row(engine, source, *times, *overheads, f"{wanted:.2f}", f"{len(rounds)} × {frames}")


def live(engine: Engine, frames: list[Frame], size: tuple[int, int], count: int, load: float) -> Round:
    """The engine alone and the pipeline, both on frames that come in time."""
    quick = alone(engine, (frame for _ in range(2) for frame in frames[:15]), size)
    fps = 1000 * load / quick
    bare = alone(engine, islice(paced(frames, fps), count), size)
    stamps = Stamps()
    times = run(engine, Feed(camera(frames, fps), [stamps]), size, count).times.summary()
    return Round(bare, times["engine"].p50, percentile(stamps.ages, 50))


def file(engine: Engine, frames: list[Frame], size: tuple[int, int], count: int, video: Path) -> Round:
    """The engine alone and the pipeline, both as fast as they can."""
    bare = alone(engine, (frames[index % len(frames)] for index in range(count)), size)
    stamps = Stamps()
    times = run(engine, Feed(open_video(video), [stamps]), size).times.summary()
    return Round(bare, times["engine"].p50, percentile(np.diff(stamps.delivered), 50))


def alone(engine: Engine, frames: Iterable[Frame], size: tuple[int, int]) -> float:
    """The engine's p50, milliseconds, without any other thread."""
    seconds = []
    for frame in frames:
        picture = resize_frame(frame, *size)[None]
        start = time.perf_counter_ns()
        engine.infer(picture)
        seconds.append((time.perf_counter_ns() - start) / 1e9)
    return percentile(seconds, 50)


def write_video(path: Path, frames: list[Frame], count: int) -> Path:
    """A video of so many frames."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 30, (WIDTH, HEIGHT))
    for index in range(count):
        writer.write(frames[index % len(frames)])
    writer.release()
    return path


if __name__ == "__main__":
    main()
