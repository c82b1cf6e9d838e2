"""A picture of a calibration for people: the points on the frame, and depth before and after it."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.calibration_fit import PlacedPoint
from clipdepth.sinks.depth_picture import FONT, INK, colour_bar, colourise

DARK = (20, 20, 20)


def calibration_picture(
    frame: NDArray[np.uint8], depth: NDArray[np.float32], points: Sequence[PlacedPoint], scale: float
) -> NDArray[np.uint8]:
    """Three panels and a colour bar, (H, W', 3) uint8 BGR: what was typed, depth before, depth after.

    `frame` is the undistorted frame, (H, W, 3) uint8 BGR, and `depth` its depth before the fit, (H, W) float32
    metres. Both depths have the colours of one bar, so that a change of scale shows.
    """
    after = np.asarray(depth * np.float32(scale), np.float32)
    near, far = _range(np.concatenate([depth.ravel(), after.ravel()]))
    panels = [
        _panel(frame, "typed", points, [point.calibrated.depth for point in points]),
        _panel(colourise(depth, near, far), "before", points, [point.calibrated.predicted for point in points]),
        _panel(colourise(after, near, far), "after", points, [point.calibrated.predicted * scale for point in points]),
    ]
    return np.asarray(np.hstack([*panels, colour_bar(frame.shape[0], near, far)]), np.uint8)


def _range(depth: NDArray[np.float32]) -> tuple[float, float]:
    """Ends for the colours, in steps of 0.1 m."""
    low, high = np.percentile(depth, (1, 99))
    near = float(np.floor(low * 10) / 10)
    return near, max(float(np.ceil(high * 10) / 10), near + 0.1)


def _panel(
    picture: NDArray[np.uint8], title: str, points: Sequence[PlacedPoint], depths: Sequence[float]
) -> NDArray[np.uint8]:
    panel: NDArray[np.uint8] = picture.copy()
    size = max(panel.shape[0] / 900, 0.4)
    for point, metres in zip(points, depths, strict=True):
        _cross(panel, point.column, point.row, size)
        _label(panel, f"{metres:.2f} m", (point.column, point.row), size)
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
