"""Pictures and depth of a lens that bends, brought to a pinhole."""

from dataclasses import dataclass

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
        return depth if self._view is None else self._view.measured_depth(depth)


def straight_of(camera: SizedCamera) -> Straight:
    """Compute what makes the pairs of `camera` straight; raises SourceError for a distortion that cannot be undone."""
    if not camera.is_distorted:
        return Straight(camera.intrinsics, None)
    view = undistortion_of(camera)
    return Straight(view.intrinsics, view)
