"""What a command is told of the camera, and the corrections that follow from it."""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

from clipdepth.arguments import float_or_nan
from clipdepth.calibration import SUFFIX, read_calibration
from clipdepth.camera import Camera, camera_from_focal, camera_from_fov
from clipdepth.camera_file import SUFFIXES, read_camera
from clipdepth.correction import Correction, make_correction, training_camera
from clipdepth.errors import UsageError
from clipdepth.intrinsics import Intrinsics
from clipdepth.manifest import Manifest


@dataclass(frozen=True)
class CameraOptions:
    """At most one way to say which camera films; with none it is taken to be the training camera."""

    focal_px: float | None = None
    """Focal length in pixels of the source's pictures."""
    fov: float | None = None
    """Degrees across the width of the source's pictures."""
    calibration: Path | None = None
    """A file of OpenCV's camera calibration, or one that `clipdepth calibrate` wrote."""

    def __post_init__(self) -> None:
        if sum(given is not None for given in (self.focal_px, self.fov, self.calibration)) > 1:
            raise UsageError("--focal-px, --fov and --calibration exclude each other; give one")


class Corrections:
    """The correction for every size in which a source's pictures come, computed once a size.

    A focal length in pixels is of the first size asked for. Files are read, and checked, when it is made.
    """

    def __init__(self, manifest: Manifest, options: CameraOptions) -> None:
        self._manifest = manifest
        self._options = options
        self._camera: Camera | None = None
        self._scale = 1.0
        self._made: dict[tuple[int, int], Correction] = {}
        if options.calibration is not None:
            self._camera, self._scale = _read(options.calibration, manifest)

    def at(self, height: int, width: int) -> Correction:
        """The correction for pictures of `height` × `width`, as `frame.shape[:2]` has them.

        Raises SourceError where the camera's file, or its focal length, is of pictures of another shape.
        """
        if (height, width) not in self._made:
            self._made[height, width] = make_correction(self.camera(height, width), self._manifest, self._scale)
        return self._made[height, width]

    def pinhole_at(self, height: int, width: int) -> Intrinsics:
        """The pinhole of the frames that depth belongs to, as point clouds need it."""
        return self.at(height, width).intrinsics

    def camera(self, height: int, width: int) -> Camera:
        """The camera with its pictures at that size."""
        if self._options.fov is not None:
            return camera_from_fov(self._options.fov, width, height)
        if self._options.focal_px is not None and self._camera is None:
            self._camera = camera_from_focal(self._options.focal_px, width, height)
        return self._camera.resized(width, height) if self._camera else training_camera(self._manifest, width, height)


def _read(path: Path, manifest: Manifest) -> tuple[Camera, float]:
    suffix = path.suffix.lower()
    if suffix == SUFFIX:
        return read_calibration(path, manifest)
    if suffix in SUFFIXES:
        return read_camera(path), 1.0
    raise UsageError(
        f"{path} is no calibration: give a {SUFFIX} file of 'clipdepth calibrate', "
        f"or a {', '.join(SUFFIXES)} file of OpenCV's camera calibration"
    )


def add_camera_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --focal-px, --fov and --calibration: the fields of `CameraOptions`."""
    add = parser.add_argument
    add("--focal-px", type=_focal, metavar="F", help="the camera's focal length in pixels of its pictures")
    add("--fov", type=_degrees, metavar="DEGREES", help="what the camera sees across its width, in degrees")
    add(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="x.yml, x.yaml or x.xml as OpenCV's camera calibration writes it, which undistorts too, or x.json of "
        "'clipdepth calibrate' (default: the camera that the network was trained with)",
    )


def _focal(text: str) -> float:
    value = float_or_nan(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is not a focal length in pixels, a number above 0")
    return value


def _degrees(text: str) -> float:
    value = float_or_nan(text)
    if not 0 < value < 180:
        raise argparse.ArgumentTypeError(f"'{text}' is not a field of view in degrees, between 0 and 180")
    return value
