"""Depth of a camera beside the picture's, brought to the picture's camera."""

import math
from pathlib import Path

import numpy as np

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import DataError
from clipdepth_train.data.datasets.pair import Depth
from clipdepth_train.data.folder import read_depth

SEAM = 0.25
"""Pixels by which a point's square is made wider on each side, so that a slanted surface has hardly a crack."""


def read_registered(path: Path, scale: float, seen_by: Intrinsics, wanted: Intrinsics, baseline: float) -> Depth:
    """The depth PNG at `path`, of `scale` units a metre, as `registered` brings it to `wanted`.

    Raises DataError for a file that is no depth, or not of the size of `seen_by`.
    """
    depth = read_depth(path, scale, math.inf)
    height, width = depth.shape
    if (width, height) != (seen_by.width, seen_by.height):
        raise DataError(f"{path} is {width}×{height}, its camera {seen_by.width}×{seen_by.height}; copy it again")
    return registered(depth, seen_by, wanted, baseline)


def registered(depth: Depth, seen_by: Intrinsics, wanted: Intrinsics, baseline: float) -> Depth:
    """Depth of camera `seen_by` as camera `wanted` sees it, which is `baseline` metres to its right and looks its way.

    Each pixel of (h, w) float32 metres, 0 for unknown, is a square that faces the camera; of several the nearest is
    seen. Returns (H, W) float32 metres, 0 where no square is: what only `wanted` sees, beside near things, is unknown.
    """
    rows, columns = np.nonzero(depth > 0)
    metres = depth[rows, columns].astype(np.float64)
    shift = wanted.fx * baseline / metres
    left, width = _spans((columns - seen_by.cx) / seen_by.fx, 1 / seen_by.fx, wanted.fx, wanted.cx - shift)
    top, height = _spans((rows - seen_by.cy) / seen_by.fy, 1 / seen_by.fy, wanted.fy, wanted.cy)
    nearest = np.full((wanted.height, wanted.width), np.inf)
    for down in range(int(height.max(initial=0))):
        for right in range(int(width.max(initial=0))):
            v, u = top + down, left + right
            inside = (down < height) & (right < width) & (v >= 0) & (v < wanted.height) & (u >= 0) & (u < wanted.width)
            np.minimum.at(nearest, (v[inside], u[inside]), metres[inside])
    return np.where(np.isfinite(nearest), nearest, 0).astype(np.float32)


def _spans(middle: np.ndarray, size: float, focal: float, centre: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """The first pixel that each square covers along an axis, and how many pixels it covers, both (N,) int64.

    `middle` (N,) and `size` are the squares' places and size in multiples of their depth, `focal` and `centre` pixels.
    """
    first, last = ((middle + side * size / 2) * focal + centre + side * SEAM for side in (-1, 1))
    begin = np.ceil(first).astype(np.int64)
    return begin, np.ceil(last).astype(np.int64) - begin
