"""The camera that films: its pinhole and what its lens bends."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.errors import SourceError

COEFFICIENT_COUNTS = (0, 4, 5, 8, 12, 14)
"""How many distortion coefficients OpenCV's pinhole model may have."""
ASPECT_TOLERANCE = 0.01


@dataclass(frozen=True)
class SizedCamera:
    """A camera of known focal length.

    `distortion` are OpenCV's coefficients k1, k2, p1, p2, k3 … of the pinhole model, empty for a straight lens.
    """

    intrinsics: Intrinsics
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        problem = _pinhole_problem(self.intrinsics) or _distortion_problem(self.distortion)
        if problem:
            raise SourceError(f"{problem}; calibrate the camera again")

    def resized(self, width: int, height: int) -> "SizedCamera":
        """The same camera with pictures of `width` × `height`.

        Raises SourceError for another aspect: how a sensor is cropped for it is not known.
        """
        known = self.intrinsics
        if abs(width / known.width * known.height / height - 1) > ASPECT_TOLERANCE:
            raise SourceError(
                f"the camera is known for {known.width}×{known.height} pictures, but they come as {width}×{height}, "
                "of another shape; calibrate it at that size"
            )
        return SizedCamera(known.resized(width, height), self.distortion)

    @property
    def is_distorted(self) -> bool:
        """Whether its lens bends straight lines."""
        return any(self.distortion)

    @property
    def coefficients(self) -> NDArray[np.float64]:
        """The distortion as OpenCV takes it, (N,) float64."""
        return np.array(self.distortion, np.float64)


def camera_from_focal(focal: float, width: int, height: int) -> SizedCamera:
    """A straight lens of `focal` pixels, square pixels and a central axis, for `width` × `height` pictures."""
    return SizedCamera(Intrinsics(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2))


def camera_from_fov(degrees: float, width: int, height: int) -> SizedCamera:
    """A straight lens that sees `degrees` across the picture's width, between its outer edges."""
    return camera_from_focal(width / 2 / math.tan(math.radians(degrees) / 2), width, height)


def _pinhole_problem(pinhole: Intrinsics) -> str | None:
    size = f"{pinhole.width}×{pinhole.height} pixels"
    if not all(0 < value < math.inf for value in (pinhole.width, pinhole.height, pinhole.fx, pinhole.fy)):
        return f"a camera of {size} with focal lengths {pinhole.fx:g} and {pinhole.fy:g} cannot be"
    if not (0 <= pinhole.cx <= pinhole.width - 1 and 0 <= pinhole.cy <= pinhole.height - 1):
        return f"the principal point ({pinhole.cx:g}, {pinhole.cy:g}) is outside the camera's {size}"
    return None


def _distortion_problem(distortion: tuple[float, ...]) -> str | None:
    if len(distortion) not in COEFFICIENT_COUNTS:
        allowed = ", ".join(map(str, COEFFICIENT_COUNTS))
        return f"there are {len(distortion)} distortion coefficients, OpenCV's model has {allowed}"
    if not all(math.isfinite(value) for value in distortion):
        return f"the distortion coefficients {distortion} are not finite"
    return None
