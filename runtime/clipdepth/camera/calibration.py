"""The file that `clipdepth calibrate` writes: a camera, and what makes metres of a bundle's answer with it."""

from pathlib import Path
from typing import Annotated

import msgspec

from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.bundle.manifest import DepthRange, Manifest, PositiveFloat
from clipdepth.bundle.record import Positive, Record, Sha256, decode_record, encode_record
from clipdepth.camera.conversion import Conversion
from clipdepth.camera.lens import LensName
from clipdepth.camera.pinhole import Intrinsics, Origin
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
    lens: LensName = "pinhole"
    undistorted_fov: Annotated[float, msgspec.Meta(gt=0, lt=180)] | None = None
    origin: Origin = "told"
    """Where its focal lengths come from: what was fitted makes metres of depth, but does not measure them."""


class CalibratedPoint(Record, frozen=True):
    """A point whose distance was typed.

    `x` and `y` are pixels of the camera's own frame; `depth` is what was typed, in metres along the optical axis, and
    `predicted` the network's answer there: depth corrected for the focal length alone, where it is metric.
    """

    x: float
    y: float
    depth: PositiveFloat
    predicted: float
    residual: float | None = None
    """Fitted less measured depth, as a share of the measured; None in files of earlier versions."""


class Calibration(Record, frozen=True):
    """The whole file: how the answer of that checkpoint's network becomes metres, see `Conversion`.

    Where the answer is metric, `scale` is on top of the focal length.
    """

    schema: int
    checkpoint_sha256: Sha256
    camera: CalibratedCamera | None
    """None where nobody knows it."""
    scale: PositiveFloat
    points: Annotated[list[CalibratedPoint], msgspec.Meta(min_length=1)]
    kind: DepthKind = METRIC
    """What the network answers."""
    shift: float = 0.0
    depth: DepthRange | None = None
    """Metres that fitted depth is kept within; None where the answer is metric."""

    @property
    def conversion(self) -> Conversion:
        """From the network's answer to metres."""
        return Conversion(self.kind, self.scale, self.shift, self.depth)

    @property
    def problem(self) -> str | None:
        """What does not go together; None where all does."""
        if (self.kind == METRIC) != (self.depth is None):
            return f"field depth: kind is {self.kind}, and it has {'no' if self.depth is None else 'a'} range"
        if self.kind == METRIC and self.shift != 0:
            return "field shift: kind is metric, and it is not 0"
        if self.depth is not None and self.depth.minimum >= self.depth.maximum:
            return "field depth: minimum is not below maximum"
        return None


def make_calibration(
    camera: SizedCamera | None, manifest: Manifest, conversion: Conversion, points: list[CalibratedPoint]
) -> Calibration:
    """Gather what belongs together."""
    described = None
    if camera is not None:
        pinhole = camera.intrinsics
        described = CalibratedCamera(
            pinhole.width,
            pinhole.height,
            pinhole.fx,
            pinhole.fy,
            pinhole.cx,
            pinhole.cy,
            list(camera.distortion),
            camera.lens_name,
            camera.undistorted_fov,
            pinhole.origin,
        )
    return Calibration(
        schema=SCHEMA,
        checkpoint_sha256=manifest.model.checkpoint_sha256,
        camera=described,
        scale=conversion.scale,
        points=points,
        kind=conversion.answered,
        shift=conversion.shift,
        depth=conversion.span,
    )


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write the file, whole or not at all."""
    with atomic_file(path) as partial:
        partial.write_bytes(encode_record(calibration))


def read_calibration(path: Path, manifest: Manifest) -> tuple[SizedCamera | None, Conversion]:
    """Read the camera, None where it is not known, and what makes metres of the answer of a bundle.

    Raises SourceError for a file that is missing, damaged or was measured with another network.
    """
    found = _read(path)
    if (found.checkpoint_sha256, found.kind) != (manifest.model.checkpoint_sha256, manifest.kind):
        raise SourceError(f"{path} was measured with another network than {manifest.name}'s; {REMEDY} for this bundle")
    return _camera(found.camera), found.conversion


def read_calibrated_camera(path: Path) -> SizedCamera | None:
    """Read the camera alone, whichever network was measured; None where it is not known.

    Raises SourceError for a file that is missing or damaged.
    """
    return _camera(_read(path).camera)


def _read(path: Path) -> Calibration:
    if not path.is_file():
        raise SourceError(f"there is no calibration at {path}; check the path, or {REMEDY}")
    try:
        found = decode_record(path.read_bytes(), Calibration, SCHEMA, str(path), REMEDY)
    except BundleError as error:
        raise SourceError(str(error)) from None
    if found.problem:
        raise SourceError(f"{path}: {found.problem}; {REMEDY}")
    return found


def _camera(described: CalibratedCamera | None) -> SizedCamera | None:
    if described is None:
        return None
    pinhole = Intrinsics(
        described.width,
        described.height,
        described.fx,
        described.fy,
        described.cx,
        described.cy,
        described.origin,
    )
    return SizedCamera(pinhole, tuple(described.distortion), described.lens, described.undistorted_fov)
