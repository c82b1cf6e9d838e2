"""The file that `clipdepth calibrate` writes: a camera, and the scale of a bundle's depth with it."""

from pathlib import Path
from typing import Annotated

import msgspec

from clipdepth.bundle.manifest import Manifest, PositiveFloat
from clipdepth.bundle.record import Positive, Record, Sha256, decode_record, encode_record
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera
from clipdepth.errors import BundleError, SourceError
from clipdepth.files.atomic import atomic_file

SCHEMA = 1
SUFFIX = ".json"
REMEDY = "write it again with 'clipdepth calibrate'"


class CalibratedCamera(Record, frozen=True):
    """The camera whose pictures were measured, in pixels; see `SizedCamera`."""

    width: Positive
    height: Positive
    fx: PositiveFloat
    fy: PositiveFloat
    cx: float
    cy: float
    distortion: list[float]


class CalibratedPoint(Record, frozen=True):
    """A point whose distance was typed.

    `x` and `y` are pixels of the camera's own frame; `depth` is what was typed, in metres along the optical axis, and
    `predicted` the depth there, corrected for the focal length alone.
    """

    x: float
    y: float
    depth: PositiveFloat
    predicted: PositiveFloat


class Calibration(Record, frozen=True):
    """The whole file: depth is `scale` times what the network of that checkpoint says, on top of the focal length."""

    schema: int
    checkpoint_sha256: Sha256
    camera: CalibratedCamera
    scale: PositiveFloat
    points: Annotated[list[CalibratedPoint], msgspec.Meta(min_length=1)]


def make_calibration(
    camera: SizedCamera, manifest: Manifest, scale: float, points: list[CalibratedPoint]
) -> Calibration:
    """Gather what belongs together."""
    pinhole = camera.intrinsics
    described = CalibratedCamera(
        pinhole.width, pinhole.height, pinhole.fx, pinhole.fy, pinhole.cx, pinhole.cy, list(camera.distortion)
    )
    return Calibration(SCHEMA, manifest.model.checkpoint_sha256, described, scale, points)


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write the file, whole or not at all."""
    with atomic_file(path) as partial:
        partial.write_bytes(encode_record(calibration))


def read_calibration(path: Path, manifest: Manifest) -> tuple[SizedCamera, float]:
    """Read the camera and the scale for a bundle.

    Raises SourceError for a file that is missing, damaged or was measured with another network.
    """
    if not path.is_file():
        raise SourceError(f"there is no calibration at {path}; check the path, or {REMEDY}")
    try:
        found = decode_record(path.read_bytes(), Calibration, SCHEMA, str(path), REMEDY)
        described = found.camera
        pinhole = Intrinsics(described.width, described.height, described.fx, described.fy, described.cx, described.cy)
        camera = SizedCamera(pinhole, tuple(described.distortion))
    except BundleError as error:
        raise SourceError(str(error)) from None
    if found.checkpoint_sha256 != manifest.model.checkpoint_sha256:
        raise SourceError(f"{path} was measured with another network than {manifest.name}'s; {REMEDY} for this bundle")
    return camera, found.scale
