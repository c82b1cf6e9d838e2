"""From what a lens bends to what a pinhole sees."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera
from clipdepth.errors import SourceError

Points = NDArray[np.float64]
GRID = 65
"""How many points across and down a view is checked at."""
LEAST_ZOOM, MOST_ZOOM = 0.2, 2.0
BISECTIONS = 40
EDGE = 1e-3
"""Pixels beyond the outermost pixels' centres that rounding may reach."""
ACCURATE = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-10)
"""When to stop inverting the lens's polynomial: OpenCV's own five steps miss by pixels in the corners."""


@dataclass(frozen=True, eq=False)
class Undistortion:
    """A camera's pictures made straight, by tables that are computed once.

    The straight picture has the same size, principal point and pixel shape. Its focal length is the smallest at
    which every pixel was seen by the camera: nothing is made up at its edges.
    """

    camera: SizedCamera
    intrinsics: Intrinsics
    """The pinhole of the straight picture."""
    maps: tuple[NDArray[np.int16], NDArray[np.uint16]]
    """Where each pixel of the straight picture lies in the bent one, as cv2.remap takes it."""

    def frame(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The straight picture, (H, W, 3) uint8, of a frame, (H, W, 3) uint8; bilinear."""
        straight = cv2.remap(frame, *self.maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(straight, np.uint8)

    def points(self, points: Points) -> Points:
        """Where pixels (x, y) of the bent picture, (N, 2) float64, lie in the straight one, (N, 2) float64.

        NaN for one in a corner that the lens's model cannot undo.
        """
        rays = _rays(self.camera, points)
        undone = np.abs(_bent(self.camera, rays) - points).max(1, keepdims=True) < 0.5
        return np.where(undone, rays * _focal(self.intrinsics) + _centre(self.intrinsics), np.nan)


def undistortion_of(camera: SizedCamera) -> Undistortion:
    """Compute the tables; raises SourceError where the distortion leaves less than a quarter of the picture."""
    bent = camera.intrinsics
    straight = _zoomed(bent, _least_zoom(camera))
    size = bent.width, bent.height
    maps = cv2.initUndistortRectifyMap(bent.matrix, camera.coefficients, np.eye(3), straight.matrix, size, cv2.CV_16SC2)
    return Undistortion(camera, straight, (np.asarray(maps[0], np.int16), np.asarray(maps[1], np.uint16)))


def _least_zoom(camera: SizedCamera) -> float:
    """The smallest factor on the focal length at which the camera sees the whole straight picture, by bisection.

    A view that is seen stays so when it is narrowed, so that there is one such factor.
    """
    low, high = LEAST_ZOOM, MOST_ZOOM
    if not _sees(camera, high):
        raise SourceError(
            f"the distortion {', '.join(f'{value:g}' for value in camera.distortion)} is no lens's over most of the "
            "picture; calibrate the camera again, with points in the picture's corners"
        )
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if _sees(camera, middle) else (middle, high)
    return high


def _sees(camera: SizedCamera, zoom: float) -> bool:
    """Whether a straight picture lies inside the bent one and is not folded over itself (beyond the model's range)."""
    pinhole = camera.intrinsics
    last = np.array([pinhole.width - 1, pinhole.height - 1])
    x, y = np.meshgrid(*(np.linspace(0, end, GRID) for end in last))
    pixels = np.stack([x.ravel(), y.ravel()], 1)
    bent = _bent(camera, (pixels - _centre(pinhole)) / (_focal(pinhole) * zoom))
    inside = (bent > -EDGE).all() and (bent < last + EDGE).all()
    grid = bent.reshape(GRID, GRID, 2)
    across, down = np.diff(grid, axis=1)[:-1], np.diff(grid, axis=0)[:, :-1]
    area = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
    return bool(inside and (area > 0).all())


def _zoomed(pinhole: Intrinsics, zoom: float) -> Intrinsics:
    return Intrinsics(pinhole.width, pinhole.height, pinhole.fx * zoom, pinhole.fy * zoom, pinhole.cx, pinhole.cy)


def _rays(camera: SizedCamera, pixels: Points) -> Points:
    """The straight rays (x / z, y / z) that bent pixels belong to, (N, 2)."""
    rays = cv2.undistortPoints(
        pixels[:, None], camera.intrinsics.matrix, camera.coefficients, R=np.eye(3), P=np.eye(3), criteria=ACCURATE
    )
    return np.asarray(rays[:, 0], np.float64)


def _bent(camera: SizedCamera, rays: Points) -> Points:
    """The pixels that straight rays (x / z, y / z) fall on, (N, 2)."""
    points, nought = np.hstack([rays, np.ones((len(rays), 1))]), np.zeros(3)
    pixels, _ = cv2.projectPoints(points[:, None], nought, nought, camera.intrinsics.matrix, camera.coefficients)
    return np.asarray(pixels[:, 0], np.float64)


def _focal(pinhole: Intrinsics) -> Points:
    return np.array([pinhole.fx, pinhole.fy])


def _centre(pinhole: Intrinsics) -> Points:
    return np.array([pinhole.cx, pinhole.cy])
