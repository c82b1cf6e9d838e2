"""One RGB-D pair, and the Protocol of a set of them."""

from dataclasses import dataclass, replace
from math import isnan
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth_train.data.crop import Crop

Split = Literal["train", "test"]


@dataclass(frozen=True)
class RgbdPair:
    """A picture and its depth.

    `frame` is (H, W, 3) uint8 BGR; `depth` is (H, W) float32 metres, 0 where it is unknown; `segmentation` is SAM's
    painted masks, (H, W, 3) uint8, where they were asked for. `taught` is what a teacher answers, (H, W) float32, 0
    where it says nothing: metres of the student's camera, or numbers above 0 that stand for depth or its inverse up to
    a scale and a shift.
    """

    frame: NDArray[np.uint8]
    depth: NDArray[np.float32]
    segmentation: NDArray[np.uint8] | None = None
    taught: NDArray[np.float32] | None = None
    intrinsics: Intrinsics | None = None
    """The camera of `frame`, where it is not its set's."""

    def cropped(self, crop: Crop) -> "RgbdPair":
        """What `crop` shows of it; raises UsageError where the picture is not one that the crop is for."""
        masks = None if self.segmentation is None else crop.of(self.segmentation)
        taught = None if self.taught is None else crop.of(self.taught)
        inside, camera = crop.within(*self.depth.shape), self.intrinsics
        if camera is not None:
            (height, width), left, top = crop.size, inside.left, inside.top
            camera = replace(camera, width=width, height=height, cx=camera.cx - left, cy=camera.cy - top)
        return RgbdPair(crop.of(self.frame), crop.of(self.depth), masks, taught, camera)


@dataclass(frozen=True)
class View:
    """A second picture of a scene, by the same camera from another place.

    `frame` is (H, W, 3) uint8 BGR; `pose`, (4, 4) float64, takes points before the first camera, in metres, to
    points before this one.
    """

    frame: NDArray[np.uint8]
    pose: NDArray[np.float64]


class RgbdSet(Protocol):
    """A set of pairs that are read or rendered when they are asked for."""

    focal: tuple[float, float]
    """The camera's (fx, fy), in pixels of its own pictures."""
    centre: tuple[float, float]
    """Its principal point (cx, cy), likewise."""
    picture_size: tuple[int, int]
    """Height and width of its pictures."""
    shuffle_window: int
    """How many neighbouring pairs are shuffled together: all, but where neighbours share what is costly to make."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> RgbdPair: ...

    def neighbour(self, index: int, after: bool) -> View:
        """A picture taken from a little further along the camera's way, or from a little before."""


def evenly_spread(length: int, count: int) -> list[int]:
    """At most `count` indices below `length`, evenly spread and clear of both ends."""
    count = min(count, length)
    return [(2 * i + 1) * length // (2 * count) for i in range(count)]


def intrinsics_of(pairs: RgbdSet) -> Intrinsics:
    """The camera of a set's pictures."""
    height, width = pairs.picture_size
    return Intrinsics(width, height, *pairs.focal, *pairs.centre)


def camera_of_pair(pair: RgbdPair, pairs: RgbdSet) -> Intrinsics | None:
    """The camera of a pair of a set: its own, or the set's; None where nobody knows it.

    A picture of another size than its set's is taken for one of the same angle along the longer side, straight ahead.
    """
    if pair.intrinsics is not None or isnan(pairs.focal[0]):
        return pair.intrinsics
    height, width = pair.frame.shape[:2]
    if (height, width) == pairs.picture_size:
        return intrinsics_of(pairs)
    scale = max(height, width) / max(pairs.picture_size)
    fx, fy = (focal * scale for focal in pairs.focal)
    return Intrinsics(width, height, fx, fy, (width - 1) / 2, (height - 1) / 2)
