"""A rendered view, and the camera it is seen with by default."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics

KINECT_FOCAL = 518.86 / 640
"""Focal length of a Kinect's colour camera, in picture widths."""


@dataclass(frozen=True)
class RgbdFrame:
    """A picture with the depth and the camera pose that belong to it."""

    frame: NDArray[np.uint8]
    """(H, W, 3) uint8 BGR."""
    depth: NDArray[np.float32]
    """(H, W) float32, metres along the optical axis, finite and > 0 everywhere."""
    pose: NDArray[np.float64]
    """(4, 4) float64, camera to world, metres; the camera's x is right, y down, z forward."""
    intrinsics: Intrinsics


def default_intrinsics(height: int, width: int) -> Intrinsics:
    """A camera with a Kinect's field of view across its width, square pixels and a central axis."""
    focal = KINECT_FOCAL * width
    return Intrinsics(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)
