"""The pinhole camera: what relates pixels to rays."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Origin = Literal["told", "metadata", "assumed", "unknown"]
"""Where a focal length comes from: a user or a calibration file, the picture's or the video's own file, or nobody.

Where nobody told it, it is assumed to be the training camera's; it is unknown where that is unknown too.
"""


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera's size and focal lengths and principal point, all in pixels.

    The centre of the top-left pixel is at (0, 0), so a resize keeps (c + 0.5) / size.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    origin: Origin = "told"
    """Where the focal lengths come from."""

    def resized(self, width: int, height: int) -> "Intrinsics":
        """The same camera after its picture is resized to `width` × `height`."""
        sx, sy = width / self.width, height / self.height
        return Intrinsics(
            width,
            height,
            self.fx * sx,
            self.fy * sy,
            (self.cx + 0.5) * sx - 0.5,
            (self.cy + 0.5) * sy - 0.5,
            self.origin,
        )

    @classmethod
    def unknown(cls, width: int, height: int) -> "Intrinsics":
        """A central axis and focal lengths of NaN, for pictures of a camera that is not known."""
        return cls(width, height, math.nan, math.nan, (width - 1) / 2, (height - 1) / 2, "unknown")

    @property
    def assumed(self) -> bool:
        """Whether nobody told the focal length, and it is the training camera's."""
        return self.origin == "assumed"

    @property
    def focal(self) -> float:
        """The geometric mean of the focal lengths."""
        return math.sqrt(self.fx * self.fy)

    @property
    def is_known(self) -> bool:
        """Whether there are focal lengths."""
        return not (math.isnan(self.fx) or math.isnan(self.fy))

    @property
    def matrix(self) -> NDArray[np.float64]:
        """K, (3, 3) float64, pixels."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]])
