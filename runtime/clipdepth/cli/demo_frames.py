"""The demo's first half minute: the model in the box on real frames, on every engine that works here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.agreement import compare_depth
from clipdepth.bundle.folder import Bundle
from clipdepth.engines import ENGINES, infer_golden
from clipdepth.engines.trial import Trial
from clipdepth.engines.trial_process import try_apart
from clipdepth.model import load
from clipdepth.sinks.picture_grid import depth_span, depth_tile, draw_grid, measured_tile, save_picture

PICTURED = 4
"""Frames in the picture, at most."""


@dataclass(frozen=True)
class Shown:
    """An engine that was tried, and how far its depth is from PyTorch's on average; None where it may not be used."""

    trial: Trial
    difference: float | None = None


def show_frames(bundle: Bundle, picture: Path) -> list[Shown]:
    """Run the bundle's golden frames through every engine and precision, and draw what those that work answer.

    The picture has a row for each frame: the frame, the depth that was measured, and a column for each engine. Of an
    engine that works in several precisions the fastest is drawn.
    """
    golden = bundle.golden()
    found, depths = list[Shown](), dict[str, tuple[Trial, NDArray[np.float32]]]()
    for name in ENGINES:
        for trial in try_apart(bundle, name, bundle.manifest.precisions):
            precision = trial.precision
            if trial.milliseconds is None:
                found.append(Shown(trial))
                continue
            with load(bundle, engine=name, precision=precision) as model:
                depth = infer_golden(model.engine.infer, golden).depth
            tolerance = bundle.manifest.tolerance(precision)
            found.append(Shown(trial, compare_depth(depth, golden.depth, tolerance).mean))
            best, _ = depths.get(name, (trial, depth))
            if trial.milliseconds <= (best.milliseconds or trial.milliseconds):
                depths[name] = (trial, depth)
    _draw(golden.frames, golden.truth, depths, picture)
    return found


def _draw(
    frames: NDArray[np.uint8],
    truth: NDArray[np.float32],
    depths: dict[str, tuple[Trial, NDArray[np.float32]]],
    picture: Path,
) -> None:
    chosen: Sequence[int] = range(0, len(frames), max(1, len(frames) // PICTURED))[:PICTURED]
    span = depth_span([truth[index] for index in chosen])
    titles = ["image", "measured", *(f"{name} {trial.precision}" for name, (trial, _) in depths.items())]
    rows = [
        [
            frames[index],
            measured_tile(truth[index], span),
            *(depth_tile(depth[index], span) for _, depth in depths.values()),
        ]
        for index in chosen
    ]
    save_picture(picture, draw_grid(titles, rows, span))
