"""What the scripts of this folder share: real frames, the machine's name, and how figures are printed."""

import os
import sys
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from threading import Event

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.manifest import InputSize
from clipdepth.engines import Engine, usable_cores
from clipdepth.engines.hardware import cpu_name
from clipdepth.frame import DepthFrame
from clipdepth.pipeline import Feed, Pipeline
from clipdepth.rooms import Room, default_intrinsics
from clipdepth.sources import open_source
from clipdepth.sources.frames import FramesSource

HEIGHT, WIDTH = 480, 640
FRAMES = 60
"""How many frames a script keeps and shows again and again."""
TESTS = Path(__file__).parents[3] / "tests"
"""Where the servers of live pictures are, `live_servers`."""

Frame = NDArray[np.uint8]


def arguments(text: str | None) -> ArgumentParser:
    """A parser that knows the bundle and the video."""
    # As the command does: OpenCV would write to stderr by itself.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    parser = ArgumentParser(description=text, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=_folder, help="its folder, or the name of a model that ships")
    parser.add_argument("--video", type=Path, help="whose frames are shown (default: drawn rooms)")
    return parser


def _folder(bundle: str) -> Path:
    return open_bundle(bundle).path


def real_frames(video: Path | None) -> list[Frame]:
    """The first frames of a video, or of a walk through a drawn room, at 480×640."""
    if video is None:
        room, camera = Room(100), default_intrinsics(HEIGHT, WIDTH)
        return [room.render(index / 30, camera).frame for index in range(FRAMES)]
    with open_source(str(video)) as source:
        return [np.asarray(cv2.resize(one.frame, (WIDTH, HEIGHT)), np.uint8) for one in islice(source, FRAMES)]


def paced(frames: Sequence[Frame], fps: float, stop: Event | None = None) -> Iterator[Frame]:
    """Frames again and again as a camera gives them, until `stop`."""
    due = time.monotonic()
    for frame in cycle(frames):
        due += 1 / fps
        time.sleep(max(0.0, due - time.monotonic()))
        if stop and stop.is_set():
            return
        yield frame


def camera(frames: Sequence[Frame], fps: float, stop: Event | None = None) -> FramesSource:
    """A live source of frames."""
    return FramesSource(paced(frames, fps, stop), live=True, name="camera")


class Stamps:
    """A sink that keeps when depth came, and how old its frame was then."""

    name = "stamps"

    def __init__(self) -> None:
        self.delivered: list[float] = []
        """Seconds by `time.monotonic`."""
        self.ages: list[float] = []
        """Seconds since capture."""
        self.shapes: list[tuple[int, ...]] = []

    def write(self, frame: DepthFrame) -> None:
        """See `Sink.write`; depth is brought to the frame's size, as for a file."""
        self.shapes.append(frame.depth.shape)
        now = time.monotonic_ns()
        self.delivered.append(now / 1e9)
        self.ages.append((now - frame.captured_ns) / 1e9)

    def __enter__(self) -> "Stamps":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def run(engine: Engine, feed: Feed, size: tuple[int, int], limit: int | None = None) -> Pipeline:
    """Run a pipeline to its end."""
    with Pipeline(engine, [InputSize(*size)], [feed], limit) as pipeline:
        pipeline.wait()
    return pipeline


def percentile(seconds: Iterable[float], percent: float) -> float:
    """A percentile, milliseconds."""
    return float(np.percentile(list(seconds), percent)) * 1000


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The median, and the least and the greatest where there are several."""
    median = f"{np.median(values):.{digits}f}"
    return f"{median} ({min(values):.{digits}f} to {max(values):.{digits}f})" if len(values) > 1 else median


def print_machine() -> None:
    """Say where this runs, and what else ran when it began."""
    load = f"{os.getloadavg()[0]:.1f}"
    say(f"{usable_cores()} cores of {cpu_name()}; load before: {load}\n")


def print_row(*cells: object) -> None:
    """Print a row of a Markdown table."""
    say(f"| {' | '.join(map(str, cells))} |")


def print_heading(*cells: str) -> None:
    """Print the first two rows of a Markdown table."""
    print_row(*cells)
    print_row(*["---"] * len(cells))


def say(line: str) -> None:
    """Print a line now."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def note(line: str) -> None:
    """Tell of progress."""
    sys.stderr.write(line + "\n")
