"""Fitting the scale of depth to points whose distance someone measured."""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.calibration import CalibratedPoint
from clipdepth.camera.correction import Correction
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import UsageError

PATCH = 5
"""The predicted depth of a point is the median over this many pixels across and down."""


@dataclass(frozen=True)
class MeasuredPoint:
    """A pixel of the camera's own frame, (0, 0) the centre of its top-left pixel, and its distance in metres."""

    x: float
    y: float
    distance: float


@dataclass(frozen=True)
class PlacedPoint:
    """A measured point with the pixel of the undistorted frame that it lies on."""

    column: int
    row: int
    calibrated: CalibratedPoint


def measured_point(text: str) -> MeasuredPoint:
    """Read 'X,Y=METRES'; for `add_argument(type=…)`."""
    place, _, metres = text.partition("=")
    try:
        x, y = (float(part) for part in place.split(","))
        distance = float(metres)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not X,Y=METRES, such as 320,240=1.85") from None
    if not (0 <= x < math.inf and 0 <= y < math.inf and 0 < distance < math.inf):
        raise argparse.ArgumentTypeError(f"'{text}': X and Y must be 0 or more, and METRES above 0")
    return MeasuredPoint(x, y, distance)


def place_point(
    point: MeasuredPoint, depth: NDArray[np.float32], correction: Correction, along_ray: bool
) -> PlacedPoint:
    """Find a point in the undistorted frame's depth, (H, W) float32 metres, corrected for the focal length.

    `along_ray` says that its distance is from the camera to the point, as a tape or a laser measures it, and not
    along the optical axis. Raises UsageError for a point outside the picture.
    """
    (x, y), (height, width) = correction.undistort_points(np.array([[point.x, point.y]]))[0], depth.shape
    if not (-0.5 < x < width - 0.5 and -0.5 < y < height - 0.5):  # NaN is outside too
        lost = "outside what is left after undistortion of" if correction.view else "outside"
        raise UsageError(f"the point {point.x:g},{point.y:g} is {lost} the {width}×{height} picture; choose another")
    column, row = round(float(x)), round(float(y))
    metres = point.distance / (ray_length(correction.intrinsics, x, y) if along_ray else 1.0)
    return PlacedPoint(column, row, CalibratedPoint(point.x, point.y, metres, _median_depth(depth, column, row)))


def ray_length(pinhole: Intrinsics, x: float, y: float) -> float:
    """How far a pixel's ray goes for each metre along the optical axis."""
    return math.sqrt(1 + ((x - pinhole.cx) / pinhole.fx) ** 2 + ((y - pinhole.cy) / pinhole.fy) ** 2)


def fit_scale(points: Sequence[CalibratedPoint]) -> float:
    """The median of measured over predicted depth: up to half of the points may be wrong by any amount."""
    return float(np.median([point.depth / point.predicted for point in points]))


def residuals(points: Sequence[CalibratedPoint], scale: float) -> list[float]:
    """What is left at each point: scaled minus measured depth, as a share of the measured depth."""
    return [point.predicted * scale / point.depth - 1 for point in points]


def _median_depth(depth: NDArray[np.float32], column: int, row: int) -> float:
    reach = PATCH // 2
    patch = depth[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
    return float(np.median(patch))
