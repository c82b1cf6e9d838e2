"""A camera that hangs on its side or upside down, or films a mirror."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import UsageError

_ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
ANGLES = tuple(_ROTATIONS)


@dataclass(frozen=True)
class Turn:
    """How pictures are turned after they were undistorted; raises UsageError for an angle that is no right one."""

    rotate: int = 0
    """Degrees clockwise: 0, 90, 180 or 270."""
    mirror: bool = False
    """Whether left and right change places after that."""

    def __post_init__(self) -> None:
        if self.rotate not in (0, *ANGLES):
            raise UsageError(f"pictures cannot be rotated by {self.rotate}°; give 90, 180 or 270, clockwise")

    def frame(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The turned picture of a frame, both (H, W, 3) uint8."""
        if self.rotate:
            frame = np.asarray(cv2.rotate(frame, _ROTATIONS[self.rotate]), np.uint8)
        return np.asarray(cv2.flip(frame, 1), np.uint8) if self.mirror else frame

    def points(self, points: NDArray[np.float64], turned: Intrinsics) -> NDArray[np.float64]:
        """Where pixels (x, y), (N, 2) float64, lie in the picture after the turn, whose pinhole is `turned`."""
        x, y = points[:, 0], points[:, 1]
        right, bottom = turned.width - 1, turned.height - 1
        if self.rotate == 90:
            x, y = right - y, x
        elif self.rotate == 180:
            x, y = right - x, bottom - y
        elif self.rotate == 270:
            x, y = y, bottom - x
        return np.stack([right - x if self.mirror else x, y], 1)

    def intrinsics(self, pinhole: Intrinsics) -> Intrinsics:
        """The pinhole of the turned picture."""
        turned = pinhole
        if self.rotate in (90, 270):
            width, height, fx, fy = pinhole.height, pinhole.width, pinhole.fy, pinhole.fx
            turned = replace(pinhole, width=width, height=height, fx=fx, fy=fy)
        ((cx, cy),) = self.points(np.array([[pinhole.cx, pinhole.cy]]), turned).tolist()
        return replace(turned, cx=cx, cy=cy)
