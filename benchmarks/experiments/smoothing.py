"""What temporal smoothing of depth does to flicker on a still scene, and to lag where something moves.

    python benchmarks/experiments/smoothing.py [--bundle BUNDLE] [--frames 100] [--rooms 4] [--seed 200]

Rooms are filmed with the shot and read noise of a webcam. With a bundle its network answers, on ONNX Runtime; without
one depth is the room's own with noise added, in every pixel and in blobs as networks make it. Prints a Markdown table:
no smoothing, an exponential average of the same gain, and `clipdepth.pipeline.smoothing`.

Flicker is the mean change from frame to frame on a still scene, as a share of depth. Lag is the number of frames, 1 for
the first, until a pixel is 90% of the way of a step in depth that half a second of walking makes at once, over the
pixels that step by a fifth or more. Error is the mean distance from what is answered without noise, on the still scene
and on a walk.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.model import load
from clipdepth.pipeline.smoothing import Smoother, Smoothing
from clipdepth.rooms import RgbdFrame, Room, default_intrinsics

Frame = NDArray[np.uint8]
Depth = NDArray[np.float32]
Network = Callable[[Frame, Depth], Depth]
"""From a frame, and the depth it was rendered with, to what is answered."""
Filter = Callable[[Frame, Depth], Depth]

FPS = 30
SETTLE = 40
"""Frames of a still scene before anything is measured or moves."""
SHOT, READ = 0.12, 1.5
"""Noise of the frame, in grey levels: standard deviation √(SHOT × level + READ²)."""
WHITE, BLOBS, BLOB = 0.004, 0.006, 16
"""Noise of the depth that stands in for a network's, as shares of it, and how wide a blob is in pixels."""
HELD_OUT = 200
"""The first room that the smoothing's parameters were not chosen on; 100 to 103 are those they were."""
ARRIVED, STEP = 0.9, 0.2


@dataclass(frozen=True)
class Shot:
    """Frames with the answers to them, with the camera's noise and without."""

    frames: list[Frame]
    noisy: list[Depth]
    clean: list[Depth]


@dataclass(frozen=True)
class Outcome:
    """What one way of smoothing did in one room; shares of depth, but for the lag."""

    flicker: float
    error_still: float
    error_walk: float
    lags: NDArray[np.int64]
    """(pixels that step,) frames."""


class Average:
    """An exponential average of one gain everywhere."""

    def __init__(self, gain: float) -> None:
        self._gain = np.float32(gain)
        self._depth: Depth | None = None

    def smooth(self, _: Frame, depth: Depth) -> Depth:
        """The average so far."""
        self._depth = depth if self._depth is None else self._depth + self._gain * (depth - self._depth)
        return self._depth


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, help="whose network answers (default: the room's own depth, with noise)")
    parser.add_argument("--frames", type=int, default=100, help="of each still scene and each walk")
    parser.add_argument("--rooms", type=int, default=4)
    parser.add_argument("--seed", type=int, default=HELD_OUT, help="of the first room")
    arguments = parser.parse_args()
    network, height, width = bundle_network(arguments.bundle) if arguments.bundle else (noisy_depth, 240, 320)
    gain = Smoothing().gain
    ways: dict[str, Callable[[], Filter]] = {
        "none": lambda: lambda _, depth: depth,
        f"average, gain {gain:g}": lambda: Average(gain).smooth,
        "clipdepth.pipeline.smoothing": lambda: Smoother().smooth,
    }
    found: dict[str, list[Outcome]] = {name: [] for name in ways}
    for seed in range(arguments.seed, arguments.seed + arguments.rooms):
        shots = film(Room(seed), network, height, width, arguments.frames)
        for name, way in ways.items():
            found[name].append(measure(way, *shots))
    say("| smoothing | flicker, % | error still, % | lag, frames: median | p90 | error walking, % |")
    say("| --- | --- | --- | --- | --- | --- |")
    for name, outcomes in found.items():
        flicker, still, walk = (
            100 * np.mean([getattr(outcome, key) for outcome in outcomes])
            for key in ("flicker", "error_still", "error_walk")
        )
        median, p90 = np.percentile(np.concatenate([outcome.lags for outcome in outcomes]), (50, 90))
        say(f"| {name} | {flicker:.2f} | {still:.2f} | {median:.0f} | {p90:.0f} | {walk:.2f} |")
    say(f"\nSmoothing takes {milliseconds(height, width):.1f} ms a frame of {height}×{width} (median of 50).")


def film(room: Room, network: Network, height: int, width: int, frames: int) -> tuple[Shot, Shot, Shot]:
    """A still scene; the still scene that half a second of walking leads to; and a walk."""
    camera, rng = default_intrinsics(height, width), np.random.default_rng(room.seed)
    first, second = room.render(1.0, camera), room.render(1.5, camera)
    walk = [room.render(2 + index / FPS, camera) for index in range(frames)]
    still, after = [first] * (SETTLE + frames), [second] * SETTLE
    return shoot(still, network, rng), shoot(after, network, rng), shoot(walk, network, rng)


def shoot(views: Sequence[RgbdFrame], network: Network, rng: np.random.Generator) -> Shot:
    """Film views with noise."""
    frames = [with_noise(view.frame, rng) for view in views]
    noisy = [network(frame, view.depth) for frame, view in zip(frames, views, strict=True)]
    if network is noisy_depth:
        return Shot(frames, noisy, [view.depth for view in views])
    clean = {id(view): network(view.frame, view.depth) for view in views}
    return Shot(frames, noisy, [clean[id(view)] for view in views])


def with_noise(frame: Frame, rng: np.random.Generator) -> Frame:
    """A frame as a sensor reads it."""
    spread = np.sqrt(SHOT * frame + READ**2)
    return np.asarray(np.clip(np.rint(frame + spread * rng.standard_normal(frame.shape)), 0, 255), np.uint8)


def noisy_depth(frame: Frame, depth: Depth) -> Depth:
    """The depth itself with noise, decided by the frame's noise."""
    rng = np.random.default_rng(int(frame.sum()))
    height, width = depth.shape
    coarse = rng.standard_normal((height // BLOB, width // BLOB)).astype(np.float32)
    blobs = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = WHITE * rng.standard_normal(depth.shape) + BLOBS * blobs / blobs.std()
    return np.asarray(depth * (1 + noise), np.float32)


def bundle_network(path: Path) -> tuple[Network, int, int]:
    """The network of a bundle, on one thread, and its input's height and width."""
    model = load(path, engine="onnxruntime", threads=1)
    size = model.bundle.manifest.input
    return lambda frame, _: model(frame).raw, size.height, size.width


def measure(way: Callable[[], Filter], still: Shot, after: Shot, walk: Shot) -> Outcome:
    """Smooth the still scene and then the one after the step; and, begun anew, the walk."""
    smooth = way()
    before = [smooth(frame, depth) for frame, depth in zip(still.frames, still.noisy, strict=True)][SETTLE:]
    arriving = [smooth(frame, depth) for frame, depth in zip(after.frames, after.noisy, strict=True)]
    lags = frames_to_arrive(np.mean(still.noisy, axis=0), np.mean(after.noisy, axis=0), arriving)
    again = way()
    walked = [again(frame, depth) for frame, depth in zip(walk.frames, walk.noisy, strict=True)]
    changes = [np.mean(np.abs(b - a) / a) for a, b in pairwise(before)]
    return Outcome(
        flicker=float(np.mean(changes)),
        error_still=error(before, still.clean[SETTLE:]),
        error_walk=error(walked, walk.clean),
        lags=lags,
    )


def frames_to_arrive(start: Depth, end: Depth, arriving: Sequence[Depth]) -> NDArray[np.int64]:
    """For each pixel that steps, how many frames until it is there; one more than there are where it never is."""
    steps = np.abs(end / start - 1) > STEP
    progress = (np.stack(arriving) - start)[:, steps] / (end - start)[steps]
    there = progress >= ARRIVED
    return np.where(there.any(0), there.argmax(0) + 1, len(arriving) + 1)


def error(found: Sequence[Depth], clean: Sequence[Depth]) -> float:
    """The mean distance, as a share of depth."""
    return float(np.mean([np.mean(np.abs(one - right) / right) for one, right in zip(found, clean, strict=True)]))


def milliseconds(height: int, width: int) -> float:
    """How long a frame takes to smooth."""
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    depth = rng.uniform(1, 5, (height, width)).astype(np.float32)
    smoother, times = Smoother(), []
    for _ in range(50):
        start = time.perf_counter_ns()
        smoother.smooth(frame, depth)
        times.append(time.perf_counter_ns() - start)
    return float(np.median(times)) / 1e6


def say(line: str) -> None:
    """Print a line now."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
