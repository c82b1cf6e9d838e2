"""A picture of a calibration for people: the points on the frame, and depth before and after it."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.kind import METRIC
from clipdepth.camera.calibration_fit import PlacedPoint, fitted_depth
from clipdepth.camera.conversion import Conversion
from clipdepth.sinks.depth_picture import FONT, INK, colour_bar, colourise
from clipdepth.sinks.relative import FARTHEST, NEAREST, spread

DARK = (20, 20, 20)


def calibration_picture(
    frame: NDArray[np.uint8], depth: NDArray[np.float32], points: Sequence[PlacedPoint], conversion: Conversion
) -> NDArray[np.uint8]:
    """Three panels and a colour bar, (H, W', 3) uint8 BGR: what was typed, depth before, depth after.

    `frame` is the undistorted frame, (H, W, 3) uint8 BGR, and `depth` its depth before the fit, (H, W) float32.
    Where that is in metres both depths have the colours of one bar, so that a change of scale shows.
    """
    after, is_metric = conversion(depth), conversion.answered == METRIC
    near, far = _range(np.concatenate([depth.ravel(), after.ravel()]) if is_metric else after)
    before = (depth, near, far) if is_metric else (spread(depth, conversion.answered), NEAREST, FARTHEST)
    typed, fitted = ([f"{metres:.2f} m" for metres in depths] for depths in _depths(points, conversion))
    answers = [f"{point.calibrated.predicted:.2f} m" if is_metric else "" for point in points]
    panels = [
        _panel(frame, "typed", points, typed),
        _panel(colourise(*before), "before" if is_metric else "before, not in metres", points, answers),
        _panel(colourise(after, near, far), "after", points, fitted),
    ]
    return np.asarray(np.hstack([*panels, colour_bar(frame.shape[0], near, far)]), np.uint8)


def _depths(points: Sequence[PlacedPoint], conversion: Conversion) -> tuple[list[float], list[float]]:
    """What was typed and what is fitted, metres."""
    calibrated = [point.calibrated for point in points]
    return [point.depth for point in calibrated], [fitted_depth(point, conversion) for point in calibrated]


def _range(depth: NDArray[np.float32]) -> tuple[float, float]:
    """Ends for the colours, in steps of 0.1 m."""
    low, high = np.percentile(depth, (1, 99))
    near = float(np.floor(low * 10) / 10)
    return near, max(float(np.ceil(high * 10) / 10), near + 0.1)


def _panel(
    picture: NDArray[np.uint8], title: str, points: Sequence[PlacedPoint], labels: Sequence[str]
) -> NDArray[np.uint8]:
    panel: NDArray[np.uint8] = picture.copy()
    size = max(panel.shape[0] / 900, 0.4)
    for point, label in zip(points, labels, strict=True):
        _cross(panel, point.column, point.row, size)
        _label(panel, label, (point.column, point.row), size)
    _label(panel, title, (0, 0), 1.2 * size)
    return panel


def _cross(panel: NDArray[np.uint8], column: int, row: int, size: float) -> None:
    for ink, thickness in ((DARK, 3), (INK, 1)):
        cv2.drawMarker(panel, (column, row), ink, cv2.MARKER_CROSS, round(24 * size), thickness)


def _label(panel: NDArray[np.uint8], text: str, place: tuple[int, int], size: float) -> None:
    """Write to the lower right of `place`, or to its left or above it where the panel ends."""
    (width, height), _ = cv2.getTextSize(text, FONT, size, 1)
    gap, (rows, columns) = max(4, height // 2), panel.shape[:2]
    left = place[0] + gap if place[0] + width + 2 * gap < columns else place[0] - width - gap
    bottom = place[1] + height + gap if place[1] + height + 2 * gap < rows else place[1] - gap
    for ink, thickness in ((DARK, 4), (INK, 1)):
        cv2.putText(panel, text, (max(left, 0), bottom), FONT, size, ink, thickness, cv2.LINE_AA)
