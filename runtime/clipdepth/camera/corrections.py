"""The corrections that follow from the camera that films."""

import logging

from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.bundle.manifest import Manifest
from clipdepth.camera.camera import UNKNOWN_REMEDY, Camera
from clipdepth.camera.conversion import Conversion
from clipdepth.camera.correction import Correction, assumed_camera, make_correction
from clipdepth.camera.files.kinds import read_told
from clipdepth.camera.files.listed import ListedCameras
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera, camera_from_focal, camera_from_fov

_LOG = logging.getLogger(__name__)

Stated = SizedCamera | float | None
"""What a picture's own file states of its camera: all of it, or its focal length in pixels, or nothing."""
MOST_SIZES = 64
"""Of pictures whose corrections are kept; each may hold maps as large as its picture."""


class Corrections:
    """The correction for every size in which a source's pictures come, computed once a size.

    What is told of the camera counts before what a picture's own file says of it; where neither does, the camera is
    assumed, and a warning says so once. Files are read, and checked, when it is made; without `fitted` what
    `clipdepth calibrate` fitted is left out, and the camera in its file is kept.
    """

    def __init__(self, manifest: Manifest, told: Camera, fitted: bool = True) -> None:
        self._manifest = manifest
        self._told = told
        self._camera: SizedCamera | ListedCameras | None = None
        self._conversion = Conversion(manifest.kind)
        self._made: dict[tuple[int, int, Stated], Correction] = {}
        self._warned = False
        if told.calibration is not None:
            self._camera, conversion = read_told(told.calibration, told, manifest)
            self._conversion = conversion if fitted else self._conversion

    @classmethod
    def of_camera(cls, manifest: Manifest, camera: SizedCamera) -> "Corrections":
        """Those for a camera whose pinhole is known, with pictures of its shape."""
        corrections = cls(manifest, Camera())
        corrections._camera = camera
        return corrections

    @property
    def kind(self) -> DepthKind:
        """What depth is after the correction."""
        return self._conversion.kind

    @property
    def is_told(self) -> bool:
        """Whether the camera that films was told."""
        return self._told.fov is not None or self._told.focal_px is not None or self._camera is not None

    @property
    def has_camera(self) -> bool:
        """Whether the camera's focal length is known, so that pixels have places in space."""
        return self.is_told or self._manifest.camera is not None

    def at(self, height: int, width: int, stated: Stated = None) -> Correction:
        """The correction for pictures of `height` × `width`, as `frame.shape[:2]` has them before they are turned.

        `stated` is what such a picture's own file states of its camera. Raises SourceError where the camera's file is
        of pictures of another shape.
        """
        key = (height, width, stated)
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= MOST_SIZES:
                self._made.clear()
            found = self._made[key] = self._make(*key)
        return found

    def _make(self, height: int, width: int, stated: Stated) -> Correction:
        camera = self.camera(height, width, stated)
        turn = self._told.turn
        if camera is None:
            return Correction(self._conversion, turn.intrinsics(Intrinsics.unknown(width, height)), None, turn)
        return make_correction(camera, self._manifest, self._conversion, turn)

    def camera(self, height: int, width: int, stated: Stated = None) -> SizedCamera | None:
        """The camera with its pictures at that size; None where neither it nor the training camera is known."""
        told = self._told
        if told.fov is not None:
            return camera_from_fov(told.fov, width, height)
        if told.focal_px is not None:
            return camera_from_focal(told.focal_px * told.zoom(width, height), width, height)
        if self._camera is not None:
            return self._camera.resized(width, height)
        if isinstance(stated, SizedCamera):
            return stated if stated.is_for(width, height) else stated.resized(width, height)
        if stated is not None:
            return camera_from_focal(stated, width, height, "metadata")
        return self._assumed(height, width)

    def _assumed(self, height: int, width: int) -> SizedCamera | None:
        camera = assumed_camera(self._manifest, width, height)
        if camera is not None and self._conversion.answered == METRIC and not self._warned:
            self._warned = True
            _LOG.warning(
                "the camera is not known; its focal length is assumed as in training, %.0f pixels for pictures of "
                "%d×%d, and metres are wrong by as much as it differs: %s",
                camera.intrinsics.fx,
                width,
                height,
                UNKNOWN_REMEDY,
            )
        return camera
