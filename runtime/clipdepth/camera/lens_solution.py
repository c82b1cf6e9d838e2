"""OpenCV's fit of a camera to views of a checkerboard, with what it leaves and how sure it is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.checkerboard import Checkerboard, Corners
from clipdepth.errors import SourceError

LensModel = Literal["plumb_bob", "fisheye"]
"""OpenCV's pinhole with k1, k2, p1, p2, k3 (the name is ROS's), or its fisheye with k1 to k4."""
Array = NDArray[np.float64]
SURE = 3.0
"""How many standard deviations k3 has to be from 0 to be taken into the lens."""

FISHEYE_STARTS = 180, 150, 210, 120
"""Degrees that a fisheye lens may see along its longer side, to begin with."""


@dataclass(frozen=True, eq=False)
class View:
    """What the fit leaves of one view."""

    residual: Array
    """(N, 2): predicted less found corners, pixels."""
    by_camera: Array
    """Its derivatives by what all views share: fx, fy, cx, cy and the distortion; (2 N, P)."""
    by_pose: Array
    """Its derivatives by where the board was, (2 N, 6)."""

    @property
    def error(self) -> float:
        """Root mean square of distances, pixels."""
        return float(np.sqrt((self.residual**2).sum(1).mean()))


@dataclass(frozen=True, eq=False)
class Solution:
    """A camera, (3, 3), its distortion, and the views that it was fitted to."""

    matrix: Array
    distortion: Array
    views: Sequence[View]

    @property
    def error(self) -> float:
        """Root mean square of distances in all views, pixels."""
        return float(np.sqrt(np.mean([view.error**2 for view in self.views])))

    def deviations(self) -> Array:
        """Standard deviations of what the views share, (P,): of a linear least-squares fit at the solution.

        What a view tells of it is what its own pose cannot explain (the Schur complement of the poses).
        """
        shared, squares, count = 0.0, 0.0, 0
        for view in self.views:
            unexplained = view.by_camera - view.by_pose @ np.linalg.lstsq(view.by_pose, view.by_camera, rcond=None)[0]
            shared = shared + unexplained.T @ unexplained
            squares, count = squares + (view.residual**2).sum(), count + view.residual.size - 6
        known = np.asarray(shared)
        spread = np.diag(np.linalg.inv(known)) * squares / max(count - len(known), 1)
        # Where rounding made it negative nothing is known.
        return np.asarray(np.sqrt(np.where(spread >= 0, spread, np.inf)))


def solve(board: Checkerboard, views: Sequence[Corners], size: tuple[int, int], model: LensModel) -> Solution:
    """Fit a camera whose pictures are `size`, width and height; raises SourceError where OpenCV finds none."""
    try:
        if model == "fisheye":
            return _fisheye(board, views, size)
        full = _pinhole(board, views, size, with_k3=True)
        # A k3 that the views do not tell bends what none of them saw.
        is_sure = abs(full.distortion[4]) > SURE * full.deviations()[8]
        return full if is_sure else _pinhole(board, views, size, with_k3=False)
    except (cv2.error, np.linalg.LinAlgError):
        raise SourceError(
            f"OpenCV finds no {'fisheye' if model == 'fisheye' else 'pinhole'} lens in these views; "
            "tilt the board more, to all sides, and bring it to all parts of the picture"
        ) from None


def _pinhole(board: Checkerboard, views: Sequence[Corners], size: tuple[int, int], with_k3: bool) -> Solution:
    points = [board.points.astype(np.float32)] * len(views)
    corners = [view.astype(np.float32) for view in views]
    flags = 0 if with_k3 else cv2.CALIB_FIX_K3
    # Made here for the types' sake; what stands in them counts only with another flag.
    start = np.eye(3), np.zeros(5)
    _, matrix, lens, rotations, translations = cv2.calibrateCamera(points, corners, size, *start, flags=flags)
    matrix, lens = _floats(matrix), _floats(lens).ravel()[:5]
    views_found = []
    for view, rotation, translation in zip(views, rotations, translations, strict=True):
        placed, slopes = cv2.projectPoints(board.points[:, None], rotation, translation, matrix, lens)
        residual = _floats(placed).reshape(-1, 2) - view
        views_found.append(View(residual, _floats(slopes[:, 6 : 15 if with_k3 else 14]), _floats(slopes[:, :6])))
    return Solution(matrix, lens, views_found)


def _fisheye(board: Checkerboard, views: Sequence[Corners], size: tuple[int, int]) -> Solution:
    points = [board.points[None]] * len(views)
    corners = [view[None] for view in views]
    names = ("CALIB_RECOMPUTE_EXTRINSIC", "CALIB_FIX_SKEW", "CALIB_USE_INTRINSIC_GUESS")
    flags = sum(_fisheye_flag(name) for name in names)
    for angle in FISHEYE_STARTS:
        focal = max(size) / math.radians(angle)
        start = np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1]]), np.zeros((4, 1))
        try:
            found = cv2.fisheye.calibrate(points, corners, size, *start, flags=flags)
            break
        except cv2.error:
            # From some starts its steps meet a homography that they cannot take apart.
            if angle == FISHEYE_STARTS[-1]:
                raise
    matrix, lens, rotations, translations = _floats(found[1]), _floats(found[2]).ravel(), found[3], found[4]
    views_found = []
    for view, *pose in zip(views, rotations, translations, strict=True):
        rotation, translation = (_floats(part).reshape(3, 1) for part in pose)
        placed, slopes = cv2.fisheye.projectPoints(board.points[None], rotation, translation, matrix, lens)
        residual = _floats(placed).reshape(-1, 2) - view
        views_found.append(View(residual, _floats(slopes[:, :8]), _floats(slopes[:, 8:14])))
    return Solution(matrix, lens, views_found)


def _fisheye_flag(name: str) -> int:
    # In OpenCV 4 they are in the module, with other values than in OpenCV 5, where they are outside.
    return int(getattr(cv2.fisheye, name, None) or getattr(cv2, name))


def _floats(array: object) -> Array:
    return np.asarray(array, np.float64)
