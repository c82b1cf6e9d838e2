"""Metric depth on a camera that the network was not trained with."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.bundle.manifest import Manifest
from clipdepth.camera.conversion import Conversion
from clipdepth.camera.letterbox import fit
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera, camera_from_focal
from clipdepth.camera.turn import Turn
from clipdepth.camera.undistortion import Undistortion, undistortion_of

UNTURNED = Turn()


@dataclass(frozen=True, eq=False)
class Correction:
    """What is done to a camera's frames before the network and to its depth after it.

    A thing of a certain size at a certain distance is f' pixels wide for a camera of focal length f' where it was f
    pixels wide in training, so a network takes it to be f / f' times as far: its depth is multiplied by f' / f. That is
    for networks whose answer is metric; of the others the scale is fitted to this very camera, focal length included.

    Depth belongs to the frame that `undistort` returns, pixel by pixel, and is measured along the optical axis;
    `intrinsics` is that frame's pinhole. For a straight lens that is not turned it is the camera's own frame. Its focal
    lengths are NaN where no camera is known.
    """

    conversion: Conversion
    """Metres of what the network answers."""
    intrinsics: Intrinsics
    view: Undistortion | None
    """None for a straight lens."""
    turn: Turn = UNTURNED
    """Of the frame without distortion."""

    def undistort(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The frame without distortion and turned, (H, W, 3) uint8 BGR: what the network sees and depth belongs to."""
        return self.turn.frame(self.view.frame(frame) if self.view else frame)

    def undistort_measured(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Measured depth of the camera's frame, (H, W) float32, as that of the one of `undistort`; 0 where none is."""
        return self.turn.frame(self.view.measured_depth(depth) if self.view else depth)

    def undistort_points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where pixels (x, y) of the camera's frame, (N, 2) float64, lie in the one of `undistort`."""
        return self.turn.points(self.view.points(points) if self.view else points, self.intrinsics)

    @property
    def kind(self) -> DepthKind:
        """What `depth` gives: 'metric' where the network's answer is, or where it was fitted to measured points."""
        return self.conversion.kind

    def depth(self, answer: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network's answer, float32 of any shape and size, as this camera's metres where `kind` is 'metric'."""
        return self.conversion(answer)


def make_correction(
    camera: SizedCamera, manifest: Manifest, conversion: Conversion, turn: Turn = UNTURNED
) -> Correction:
    """Correct for `camera`, with its pictures at its size, and turn them.

    A metric `conversion` is on top of the focal length, which corrects nothing where the training camera is not known.
    Raises SourceError for a distortion that cannot be undone.
    """
    view = undistortion_of(camera) if camera.is_distorted else None
    intrinsics = turn.intrinsics(view.intrinsics if view else camera.intrinsics)
    if conversion.answered == METRIC:
        conversion = replace(conversion, scale=focal_ratio(intrinsics, manifest) * conversion.scale)
    return Correction(conversion, intrinsics, view, turn)


def focal_ratio(intrinsics: Intrinsics, manifest: Manifest) -> float:
    """The camera's focal length over the training camera's, both in pixels of the network's picture.

    The picture is scaled alike across and down, so that there is one ratio; where fx and fy of a camera differ a
    little, their geometric means count. 1 where the training camera is not known.
    """
    if manifest.camera is None:
        return 1.0
    scale = fit(intrinsics.height, intrinsics.width, manifest.inputs).scale
    return scale * intrinsics.focal / manifest.camera.focal


def assumed_camera(manifest: Manifest, width: int, height: int) -> SizedCamera | None:
    """A camera with square pixels and the training camera's focal length for the longer side of its pictures.

    It stands for a camera that nobody knows; None where the training camera is not known either.
    """
    size, trained = manifest.input, manifest.camera
    if trained is None:
        return None
    focal = trained.focal * max(width, height) / max(size.width, size.height)
    return camera_from_focal(focal, width, height, "assumed")
