"""The camera that films, as a user knows it."""

import math
from dataclasses import dataclass
from pathlib import Path

from clipdepth.camera.turn import Turn
from clipdepth.errors import UsageError

UNKNOWN_REMEDY = "tell your camera with --fov, --focal-px or --calibration (Camera in Python)"


@dataclass(frozen=True)
class Camera:
    """The camera that films, known in one of three ways; `Camera()` is the one that the network was trained with.

    Depth is in metres for any camera whose focal length is known. Raises UsageError for values that cannot be.
    """

    focal_px: float | None = None
    """Focal length in pixels of its pictures: of each one as it comes, or of those of `side`."""
    fov: float | None = None
    """Degrees that it sees across the width of its pictures."""
    calibration: Path | None = None
    """A file of `clipdepth calibrate`, OpenCV, ROS, Kalibr, COLMAP or RealSense, see docs/cameras.md."""
    undistorted_fov: float | None = None
    """Degrees across the width that the straight picture sees, with a calibration; see `Undistortion` for None."""
    camera_id: str | None = None
    """Which camera of a calibration with several, by its name there; None for the one that the pictures' size fits."""
    side: int | None = None
    """Pixels along the longer side of the pictures that `focal_px` is of."""

    rotate: int | None = None
    """Degrees by which its pictures are turned clockwise, after undistortion: 90, 180 or 270."""
    mirror: bool | None = None
    """Whether left and right of its pictures change places, after they were turned."""

    def __post_init__(self) -> None:
        Turn(self.rotate or 0)
        if sum(given is not None for given in (self.focal_px, self.fov, self.calibration)) > 1:
            raise UsageError("a camera is known by one of focal_px, fov and calibration; give only one")
        if self.calibration is None and (self.undistorted_fov is not None or self.camera_id is not None):
            raise UsageError("undistorted_fov and camera_id are for a calibration file; give it too")
        if self.undistorted_fov is not None and not 0 < self.undistorted_fov < 180:
            raise UsageError(
                f"a straight picture {self.undistorted_fov:g}° wide cannot be; give degrees between 0 and 180"
            )
        if self.focal_px is not None and not 0 < self.focal_px < math.inf:
            raise UsageError(f"a focal length of {self.focal_px:g} pixels cannot be; give a number above 0")
        if self.side is not None and (self.focal_px is None or self.side < 1):
            raise UsageError(f"side {self.side} is that of the pictures of focal_px; give both, above 0")
        if self.fov is not None and not 0 < self.fov < 180:
            raise UsageError(
                f"a field of view of {self.fov:g}° cannot be; give degrees across the width, between 0 and 180"
            )

    @property
    def turn(self) -> Turn:
        """How its pictures are turned. All that is known of the camera is of pictures before that."""
        return Turn(self.rotate or 0, bool(self.mirror))

    @classmethod
    def from_fov(cls, degrees: float) -> "Camera":
        """A straight lens that sees `degrees` across the width of its pictures."""
        return cls(fov=degrees)

    @classmethod
    def from_focal(cls, pixels: float, side: int | None = None) -> "Camera":
        """A straight lens with a focal length of `pixels` of its pictures, or of those whose longer side is `side`."""
        return cls(focal_px=pixels, side=side)

    def zoom(self, width: int, height: int) -> float:
        """By how much the focal length of a picture of `width` × `height` differs from `focal_px`."""
        return 1.0 if self.side is None else max(width, height) / self.side

    @classmethod
    def from_file(
        cls, path: Path | str, undistorted_fov: float | None = None, camera_id: str | None = None
    ) -> "Camera":
        """The camera of a calibration file, of `clipdepth calibrate` or of the tools that docs/cameras.md lists.

        `undistorted_fov` are the degrees across the width that the straight picture of a lens that bends sees;
        `camera_id` names one of several cameras in the file.
        """
        return cls(calibration=Path(path), undistorted_fov=undistorted_fov, camera_id=camera_id)
