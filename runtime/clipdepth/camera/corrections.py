"""The corrections that follow from the camera that films."""

from pathlib import Path

from clipdepth.bundle.kind import DepthKind
from clipdepth.bundle.manifest import Manifest
from clipdepth.camera.calibration import SUFFIX, read_calibration
from clipdepth.camera.camera import Camera
from clipdepth.camera.conversion import Conversion
from clipdepth.camera.correction import Correction, make_correction, training_camera
from clipdepth.camera.opencv_file import SUFFIXES, read_camera
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera, camera_from_focal, camera_from_fov
from clipdepth.errors import UsageError


class Corrections:
    """The correction for every size in which a source's pictures come, computed once a size.

    A focal length in pixels is of the first size asked for. Files are read, and checked, when it is made; without
    `fitted` what `clipdepth calibrate` fitted is left out, and the camera in its file is kept.
    """

    def __init__(self, manifest: Manifest, told: Camera, fitted: bool = True) -> None:
        self._manifest = manifest
        self._told = told
        self._camera: SizedCamera | None = None
        self._conversion = Conversion(manifest.kind)
        self._made: dict[tuple[int, int], Correction] = {}
        if told.calibration is not None:
            self._camera, conversion = _read(told.calibration, manifest)
            self._conversion = conversion if fitted else self._conversion

    @property
    def kind(self) -> DepthKind:
        """What depth is after the correction."""
        return self._conversion.kind

    @property
    def has_camera(self) -> bool:
        """Whether the camera's focal length is known, so that pixels have places in space."""
        told = self._told.fov is not None or self._told.focal_px is not None or self._camera is not None
        return told or self._manifest.camera is not None

    def at(self, height: int, width: int) -> Correction:
        """The correction for pictures of `height` × `width`, as `frame.shape[:2]` has them.

        Raises SourceError where the camera's file, or its focal length, is of pictures of another shape.
        """
        if (height, width) not in self._made:
            camera = self.camera(height, width)
            self._made[height, width] = (
                Correction(self._conversion, Intrinsics.unknown(width, height), None)
                if camera is None
                else make_correction(camera, self._manifest, self._conversion)
            )
        return self._made[height, width]

    def camera(self, height: int, width: int) -> SizedCamera | None:
        """The camera with its pictures at that size; None where neither it nor the training camera is known."""
        if self._told.fov is not None:
            return camera_from_fov(self._told.fov, width, height)
        if self._told.focal_px is not None and self._camera is None:
            self._camera = camera_from_focal(self._told.focal_px, width, height)
        return self._camera.resized(width, height) if self._camera else training_camera(self._manifest, width, height)


def _read(path: Path, manifest: Manifest) -> tuple[SizedCamera | None, Conversion]:
    suffix = path.suffix.lower()
    if suffix == SUFFIX:
        return read_calibration(path, manifest)
    if suffix in SUFFIXES:
        return read_camera(path), Conversion(manifest.kind)
    raise UsageError(
        f"{path} is no calibration: give a {SUFFIX} file of 'clipdepth calibrate', "
        f"or a {', '.join(SUFFIXES)} file of OpenCV's camera calibration"
    )
