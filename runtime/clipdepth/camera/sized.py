"""The camera that films: its pinhole and what its lens bends."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.lens import LENSES, Lens, LensName
from clipdepth.camera.pinhole import Intrinsics, Origin
from clipdepth.errors import SourceError

ASPECT_TOLERANCE = 0.01


@dataclass(frozen=True)
class SizedCamera:
    """A camera of known focal length.

    `distortion` are OpenCV's coefficients: k1, k2, p1, p2, k3 … of the pinhole model, empty for a straight lens, or
    k1 to k4 of the fisheye model.
    """

    intrinsics: Intrinsics
    distortion: tuple[float, ...] = ()
    lens_name: LensName = "pinhole"
    undistorted_fov: float | None = None
    """Degrees across the width that its straight picture is to see; None for as wide as `Undistortion` says."""

    def __post_init__(self) -> None:
        problem = _pinhole_problem(self.intrinsics) or _distortion_problem(self.distortion, self.lens_name)
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
        return replace(self, intrinsics=known.resized(width, height))

    def is_for(self, width: int, height: int) -> bool:
        """Whether its pictures have that size."""
        return (self.intrinsics.width, self.intrinsics.height) == (width, height)

    @property
    def is_distorted(self) -> bool:
        """Whether its pictures have to be made straight: its lens bends lines, or a field of view is asked for."""
        bends = any(self.distortion) or not self.lens.is_straight_at_0
        return bends or self.undistorted_fov is not None

    @property
    def lens(self) -> Lens:
        """The model of its lens."""
        return LENSES[self.lens_name]

    @property
    def coefficients(self) -> NDArray[np.float64]:
        """The distortion as OpenCV takes it, (N,) float64."""
        return np.array(self.distortion, np.float64)


def camera_from_focal(focal: float, width: int, height: int, origin: Origin = "told") -> SizedCamera:
    """A straight lens of `focal` pixels, square pixels and a central axis, for `width` × `height` pictures."""
    return SizedCamera(Intrinsics(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2, origin))


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


def _distortion_problem(distortion: tuple[float, ...], lens_name: LensName) -> str | None:
    counts = LENSES[lens_name].counts
    if len(distortion) not in counts:
        allowed = ", ".join(map(str, counts))
        return f"there are {len(distortion)} distortion coefficients, OpenCV's {lens_name} model has {allowed}"
    if not all(math.isfinite(value) for value in distortion):
        return f"the distortion coefficients {distortion} are not finite"
    return None
