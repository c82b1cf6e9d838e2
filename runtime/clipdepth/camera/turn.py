"""A camera that hangs on its side or upside down, or films a mirror."""

# The help of commands names the angles, and is not to wait for OpenCV and NumPy.
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from clipdepth.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from clipdepth.camera.pinhole import Intrinsics

    Pixels = TypeVar("Pixels", NDArray[np.uint8], NDArray[np.float32])

ANGLES = 90, 180, 270


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

    def frame(self, frame: Pixels) -> Pixels:
        """A frame, (H, W, 3) uint8, or depth, (H, W) float32, turned."""
        import cv2
        import numpy as np

        if self.rotate:
            turns = (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)
            frame = np.asarray(cv2.rotate(frame, turns[ANGLES.index(self.rotate)]), frame.dtype)
        return np.asarray(cv2.flip(frame, 1), frame.dtype) if self.mirror else frame

    def points(self, points: NDArray[np.float64], turned: Intrinsics) -> NDArray[np.float64]:
        """Where pixels (x, y), (N, 2) float64, lie in the picture after the turn, whose pinhole is `turned`."""
        import numpy as np

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
        import numpy as np

        turned = pinhole
        if self.rotate in (90, 270):
            width, height, fx, fy = pinhole.height, pinhole.width, pinhole.fy, pinhole.fx
            turned = replace(pinhole, width=width, height=height, fx=fx, fy=fy)
        ((cx, cy),) = self.points(np.array([[pinhole.cx, pinhole.cy]]), turned).tolist()
        return replace(turned, cx=cx, cy=cy)
