"""Pictures and depth of a lens that bends, brought to a pinhole."""

from dataclasses import dataclass

import cv2
import numpy as np

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera
from clipdepth.camera.undistortion import Undistortion, undistortion_of
from clipdepth_train.data.datasets.pair import Depth, Picture


@dataclass(frozen=True, eq=False)
class Straight:
    """What makes the pairs of one camera straight; nothing for one that bends nothing."""

    intrinsics: Intrinsics
    """The pinhole of what `picture` and `depth` return."""
    _view: Undistortion | None

    @property
    def bends(self) -> bool:
        """Whether there is something to undo."""
        return self._view is not None

    def picture(self, picture: Picture) -> Picture:
        """The straight picture, bilinear."""
        return picture if self._view is None else self._view.frame(picture)

    def depth(self, depth: Depth) -> Depth:
        """The straight depth, by nearest neighbours: a mean of two surfaces is on neither."""
        if self._view is None:
            return depth
        # Of fixed-point maps OpenCV's nearest neighbour takes the whole part, half a pixel off.
        maps = cv2.convertMaps(*self._view.maps, cv2.CV_32FC1)
        moved = cv2.remap(depth, *maps, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        return np.asarray(moved, np.float32)


def straight_of(camera: SizedCamera) -> Straight:
    """Compute what makes the pairs of `camera` straight; raises SourceError for a distortion that cannot be undone."""
    if not camera.is_distorted:
        return Straight(camera.intrinsics, None)
    view = undistortion_of(camera)
    return Straight(view.intrinsics, view)
