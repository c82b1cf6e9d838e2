"""Fitting metres to points whose distance someone measured."""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.bundle.manifest import DepthRange
from clipdepth.camera.calibration import CalibratedPoint
from clipdepth.camera.conversion import Conversion
from clipdepth.camera.correction import Correction
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import UsageError

PATCH = 5
"""The network's answer at a point is the median over this many pixels across and down."""
BEYOND = 10.0
"""How many times nearer than the nearest and farther than the farthest measured point fitted depth may be.

A fit says little out there: an error e of inverse depth is one of e · z² of depth.
"""
SAME = 1e-4
"""Answers that differ by less than this share of the largest are one: nothing can be fitted to them."""


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
    """Find a point in the undistorted frame's `depth`, (H, W) float32: the answer, before anything is fitted to it.

    `along_ray` says that its distance is from the camera to the point, as a tape or a laser measures it, and not
    along the optical axis. Raises UsageError for a point outside the picture, or along the ray of an unknown camera.
    """
    if along_ray and not correction.intrinsics.is_known:
        raise UsageError(
            f"{point.distance:g} m along the ray to {point.x:g},{point.y:g} need a camera, and none is known; tell "
            "yours with --fov or --focal-px, or measure along the optical axis and give --along axis"
        )
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


def fit_conversion(points: Sequence[CalibratedPoint], kind: DepthKind) -> Conversion:
    """What makes metres of an answer of `kind`, fitted to the points.

    Metric depth gets the median of measured over predicted depth: up to half of the points may be wrong by any amount.
    Any other answer a gets scale s and shift t, by least squares: the sum of ((s a + t) / y - 1)² over the points is
    least, where y is the measured depth z of a relative answer and 1 / z of a disparity. Each term is the square of
    the relative error of depth, for a disparity to first order, so a far point counts as much as a near one. Raises
    UsageError where the points do not tell scale and shift.
    """
    if kind == METRIC:
        return Conversion(kind, float(np.median([point.depth / point.predicted for point in points])))
    answers = np.array([point.predicted for point in points])
    depths = np.array([point.depth for point in points])
    if len(points) < 2:
        raise UsageError(f"one point does not tell scale and shift of a {kind} answer; give --point twice or more")
    if np.ptp(answers) <= SAME * np.abs(answers).max():
        raise UsageError(
            f"the model answers {answers[0]:.4g} at all points, which tells no scale; give --point at other distances"
        )
    weights = depths if kind == "disparity" else 1 / depths
    lines = np.stack([weights * answers, weights], axis=1)
    scale, shift = (float(found) for found in np.linalg.lstsq(lines, np.ones(len(points)), rcond=None)[0])
    if scale <= 0:
        raise UsageError(
            f"the points make near what the model finds far (scale {scale:.3g}); check the pixels and metres of --point"
        )
    return Conversion(kind, scale, shift, DepthRange(float(depths.min()) / BEYOND, float(depths.max()) * BEYOND))


def with_residuals(points: Sequence[CalibratedPoint], conversion: Conversion) -> list[CalibratedPoint]:
    """The points with what the fit leaves at each."""
    return [
        msgspec.structs.replace(point, residual=fitted_depth(point, conversion) / point.depth - 1) for point in points
    ]


def fitted_depth(point: CalibratedPoint, conversion: Conversion) -> float:
    """Metres at a point after the fit."""
    return float(conversion(np.array(point.predicted, np.float32)))


def _median_depth(depth: NDArray[np.float32], column: int, row: int) -> float:
    reach = PATCH // 2
    patch = depth[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
    return float(np.median(patch))
