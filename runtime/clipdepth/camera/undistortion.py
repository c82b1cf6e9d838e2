"""From what a lens bends to what a pinhole sees."""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.lens import Maps, Points
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera
from clipdepth.errors import SourceError

GRID = 65
"""How many points across and down a view is checked at."""
MOST_ZOOM = 2.0
BISECTIONS = 40
EDGE = 1e-3
"""Pixels beyond the outermost pixels' centres that rounding may reach."""


@dataclass(frozen=True, eq=False)
class Undistortion:
    """A camera's pictures made straight, by tables that are computed once.

    The straight picture has the same size, principal point and pixel shape, and every pixel of it was seen by the
    camera: nothing is made up at its edges. It sees as much as is asked for by `SizedCamera.undistorted_fov`, else as
    much as can be; of a fisheye lens at most what keeps the resolution in the middle, since a straight picture of all
    that was seen would have nearly all its pixels at the edges.
    """

    camera: SizedCamera
    intrinsics: Intrinsics
    """The pinhole of the straight picture."""
    maps: Maps
    """Where each pixel of the straight picture lies in the bent one, as cv2.remap takes it."""

    def frame(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The straight picture, (H, W, 3) uint8, of a frame, (H, W, 3) uint8; bilinear."""
        straight = cv2.remap(frame, *self.maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(straight, np.uint8)

    def measured_depth(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """The straight picture's measured depth, both (H, W) float32, 0 where there is none.

        By nearest neighbours: a mean of two surfaces is on neither.
        """
        # Of fixed-point maps OpenCV's nearest neighbour takes the whole part, half a pixel off.
        maps = cv2.convertMaps(*self.maps, cv2.CV_32FC1)
        straight = cv2.remap(depth, *maps, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        return np.asarray(straight, np.float32)

    def points(self, points: Points) -> Points:
        """Where pixels (x, y) of the bent picture, (N, 2) float64, lie in the straight one, (N, 2) float64.

        NaN for one in a corner that the lens's model cannot undo.
        """
        bent = self.camera
        rays = bent.lens.straighten(points, bent.intrinsics.matrix, bent.coefficients)
        undone = np.abs(_bent(bent, rays) - points).max(1, keepdims=True) < 0.5
        return np.where(undone, rays * _focal(self.intrinsics) + _centre(self.intrinsics), np.nan)


def undistortion_of(camera: SizedCamera) -> Undistortion:
    """Compute the tables; raises SourceError as `straight_pinhole`."""
    bent = camera.intrinsics
    straight = straight_pinhole(camera)
    size = bent.width, bent.height
    return Undistortion(camera, straight, camera.lens.maps(bent.matrix, camera.coefficients, straight.matrix, size))


def straight_pinhole(camera: SizedCamera) -> Intrinsics:
    """The pinhole of the straight picture, see `Undistortion`; for a straight lens its own.

    Raises SourceError where the distortion leaves less than a quarter of the picture, and where a wider field of view
    is asked for than the camera sees.
    """
    return zoomed(camera.intrinsics, _zoom(camera)) if camera.is_distorted else camera.intrinsics


def _zoom(camera: SizedCamera) -> float:
    """The factor from the bent picture's focal length to the straight one's."""
    least = _least_zoom(camera)
    if camera.undistorted_fov is None:
        return max(least, camera.lens.default_zoom)
    asked = zoom_of_fov(camera.intrinsics, camera.undistorted_fov)
    if asked < least:
        possible = math.floor(10 * fov_of(zoomed(camera.intrinsics, least))) / 10
        raise SourceError(
            f"a straight picture {camera.undistorted_fov:g}° wide shows more than this camera sees; "
            f"give --undistorted-fov {possible:g} or less (undistorted_fov in Python)"
        )
    return asked


def _least_zoom(camera: SizedCamera) -> float:
    """The smallest factor on the focal length at which the camera sees the whole straight picture, by bisection.

    A view that is seen stays so when it is narrowed, so that there is one such factor.
    """
    low, high = camera.lens.least_zoom, MOST_ZOOM
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


def _bent(camera: SizedCamera, rays: Points) -> Points:
    return camera.lens.bend(rays, camera.intrinsics.matrix, camera.coefficients)


def zoomed(pinhole: Intrinsics, zoom: float) -> Intrinsics:
    """The pinhole with `zoom` times the focal length."""
    return replace(pinhole, fx=pinhole.fx * zoom, fy=pinhole.fy * zoom)


def fov_of(pinhole: Intrinsics) -> float:
    """Degrees across the picture's width, between its outer edges."""
    left, right = pinhole.cx + 0.5, pinhole.width - 0.5 - pinhole.cx
    return math.degrees(math.atan(left / pinhole.fx) + math.atan(right / pinhole.fx))


def zoom_of_fov(pinhole: Intrinsics, degrees: float) -> float:
    """The zoom at which the picture sees `degrees` across its width.

    With a and b pixels to the left and right of the axis, tan(fov) = f (a + b) / (f² - a b), solved for f.
    """
    left, right = pinhole.cx + 0.5, pinhole.width - 0.5 - pinhole.cx
    half = (left + right) / math.tan(math.radians(degrees)) / 2
    return (half + math.sqrt(half * half + left * right)) / pinhole.fx


def _focal(pinhole: Intrinsics) -> Points:
    return np.array([pinhole.fx, pinhole.fy])


def _centre(pinhole: Intrinsics) -> Points:
    return np.array([pinhole.cx, pinhole.cy])
