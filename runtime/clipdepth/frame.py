"""A picture with its depth: what a model makes and what sinks keep."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic_ns

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.confidence import leave_out
from clipdepth.bundle.kind import METRIC, DepthKind, require_metric
from clipdepth.camera.camera import UNKNOWN_REMEDY
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.resize import resize_depth
from clipdepth.errors import SourceError, UnknownCameraError


@dataclass(frozen=True, eq=False)
class DepthFrame:
    """A picture and its depth, which belong together pixel by pixel.

    Unpacks into picture and depth: `image, depth = frame`. Arrays are shared, not copied; do not write into them.
    """

    image: NDArray[np.uint8]
    """The picture, (H, W, 3) uint8 BGR; undistorted where the camera's lens bends."""
    raw: NDArray[np.float32]
    """Depth as the network made it, (h, w) float32: what `kind` says, metres along the optical axis where metric.

    Without what filled the network's picture around the frame, so that it shows what `image` shows.
    """
    intrinsics: Intrinsics
    """The pinhole of `image`, pixels: NaN for focal lengths where no camera is known; it says where they are from."""
    time: float = 0.0
    """Seconds since the source's first frame."""
    index: int = 0
    """The frame's number in its source, from 0; a live source's numbers have gaps where frames were dropped."""
    source: str = "image"
    """The source's name."""
    captured_ns: int = field(default_factory=monotonic_ns)
    """`time.monotonic_ns()` when the picture had been read."""
    kind: DepthKind = METRIC
    """What `raw` and `depth` are; 'metric' for any model after `clipdepth calibrate`."""
    raw_confidence: NDArray[np.float32] | None = None
    """How sure the network is of `raw`, (h, w) float32 from 0 to 1: the probability that depth is within 10% of the
    truth. None where the model does not say it. Smoothing leaves it as it is."""
    min_confidence: float = 0.0
    """Depth of less confidence is left out: `depth` and `raw_depth` are NaN there. `raw` is as the network made it."""
    stamp_ns: int | None = None
    """Unix time in nanoseconds at which the picture was taken, where its source states it, as recordings of ROS do."""
    novelty: float | None = None
    """How unlike the model's training frames the picture is as a whole; None where the model does not say it. One in a
    hundred frames that were held out of training exceeds 1: above it neither depth nor confidence is to be relied on.
    """
    measured: NDArray[np.float32] | None = None
    """The depth that a sensor of the source measured, (H, W) float32 metres, of `image` pixel by pixel; NaN where it
    saw nothing. It has that sensor's own errors. None where the source has no such sensor."""

    @cached_property
    def depth(self) -> NDArray[np.float32]:
        """`raw` at the picture's size, (H, W) float32, metres where metric; made when it is first asked for."""
        depth = resize_depth(self.raw, *self.image.shape[:2])
        return leave_out(depth, self.confidence, self.min_confidence) if self.min_confidence else depth

    @property
    def raw_depth(self) -> NDArray[np.float32]:
        """`raw`, (h, w) float32, with NaN where it is left out."""
        return leave_out(self.raw, self.raw_confidence, self.min_confidence)

    @cached_property
    def confidence(self) -> NDArray[np.float32] | None:
        """`raw_confidence` at the picture's size, (H, W) float32; made when it is first asked for."""
        return None if self.raw_confidence is None else resize_depth(self.raw_confidence, *self.image.shape[:2])

    @property
    def metres(self) -> NDArray[np.float32]:
        """`depth`, (H, W) float32 metres; raises NotMetricError where it is not metric."""
        require_metric(self.kind, f"the depth of {self.source}", "the model")
        return self.depth

    def points(self, rows: slice = slice(None)) -> NDArray[np.float32]:
        """Where each pixel lies, (H, W, 3) float32 metres from the camera: x to the right, y down, z ahead.

        `rows` takes those rows of the picture alone: a large one takes less memory in pieces. Raises NotMetricError
        where depth is not metric, UnknownCameraError where no focal length is known.
        """
        pinhole, z = self.intrinsics, self.metres
        if not pinhole.is_known:
            raise UnknownCameraError(f"points of {self.source} need the camera's focal length; {UNKNOWN_REMEDY}")
        height, width = z.shape
        z = z[rows]
        x = (np.arange(width, dtype=np.float32) - np.float32(pinhole.cx)) / np.float32(pinhole.fx)
        y = (np.arange(height, dtype=np.float32)[rows] - np.float32(pinhole.cy)) / np.float32(pinhole.fy)
        return np.stack((x * z, y[:, None] * z, z), axis=-1)

    def __iter__(self) -> Iterator[NDArray[np.generic]]:
        yield self.image
        yield self.depth


def checked_image(image: object, name: str) -> NDArray[np.uint8]:
    """The picture, if it is one, (H, W, 3) uint8; raises SourceError, which calls it `name`, if not."""
    if not isinstance(image, np.ndarray):
        raise SourceError(f"{name} is a {type(image).__name__}; give an array, uint8 (H, W, 3), BGR")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise SourceError(f"{name} is {image.dtype} of shape {image.shape}; give uint8 (H, W, 3), BGR")
    return image
