"""Two views of one scene: where what one shows lies in the other, in double-precision NumPy and OpenCV alone."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.rooms import RgbdFrame, Room, default_intrinsics

SECONDS_APART = 0.33
"""A third of a second of walking, about 15 cm."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TwoViews:
    """A view of a room and a second one, from a little further along the camera's way."""

    first: RgbdFrame
    second: RgbdFrame

    @property
    def camera(self) -> Floats:
        """(3, 3), pixels: of both."""
        return self.first.intrinsics.matrix

    @property
    def pose(self) -> Floats:
        """(4, 4): from before the first camera to before the second, metres."""
        return np.asarray(np.linalg.inv(self.second.pose) @ self.first.pose)


def two_views(seed: int, seconds: float, height: int, width: int, apart: float = SECONDS_APART) -> TwoViews:
    """Render a room `seconds` into its walk, and `apart` later."""
    room, camera = Room(seed), default_intrinsics(height, width)
    return TwoViews(room.render(seconds, camera), room.render(seconds + apart, camera))


def places(depth: NDArray[np.floating], camera: Floats, view_camera: Floats, pose: Floats) -> Floats:
    """(H, W, 3): column, row and depth in the second view of each pixel of the first, by its depth (H, W) metres."""
    rows, columns = np.mgrid[: depth.shape[0], : depth.shape[1]]
    homogeneous = np.stack([columns, rows, np.ones_like(rows)], -1).astype(np.float64)
    points = homogeneous @ np.linalg.inv(camera).T * depth[..., None]
    seen = (points @ pose[:3, :3].T + pose[:3, 3]) @ view_camera.T
    return np.concatenate([seen[..., :2] / seen[..., 2:], seen[..., 2:]], -1)


def looked_up(picture: NDArray[np.generic], place: Floats, method: int) -> NDArray[np.float32]:
    """The (H, W) or (H, W, 3) `picture` at the columns and rows of `place`, 0 outside."""
    u, v = (place[..., axis].astype(np.float32) for axis in (0, 1))
    return np.asarray(cv2.remap(picture.astype(np.float32), u, v, method), np.float32)


def inside(place: Floats, height: int, width: int) -> NDArray[np.bool_]:
    """Which places lie before the camera and in a picture of this size."""
    u, v, z = np.moveaxis(place, -1, 0)
    return np.asarray((z > 0) & (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1))


def covisible(place: Floats, view_depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which places the second view shows too: its own depth there, at all four pixels around, is within 3 %."""
    reach = np.ones((3, 3), np.uint8)
    near, far = cv2.erode(view_depth, reach), cv2.dilate(view_depth, reach)
    z = place[..., 2]
    nearest, farthest = (looked_up(depth, place, cv2.INTER_NEAREST) for depth in (near, far))
    return np.asarray(inside(place, *view_depth.shape) & (nearest > 0.97 * z) & (farthest < 1.03 * z))


def rebuilding_error(
    picture: NDArray[np.uint8], view: NDArray[np.uint8], place: Floats, where: NDArray[np.bool_]
) -> float:
    """Mean absolute difference, of 1, between `picture` and `view` warped into it."""
    difference = np.abs(looked_up(view, place, cv2.INTER_LINEAR) - picture)[where]
    return float(difference.mean() / 255)
