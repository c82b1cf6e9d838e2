"""The one way from a frame to a network's picture and back: in training, evaluation, export, calibration, streaming."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log
from typing import Any, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.manifest import InputSize
from clipdepth.camera.resize import (
    resize_answer,
    resize_depth,
    resize_frame,
    resize_measured_depth,
    resize_segmentation,
)

Number = TypeVar("Number", bound=np.generic)

FILL = cv2.BORDER_REPLICATE
"""What surrounds a frame: its edge, repeated. docs/cameras.md has what else was measured."""


@dataclass(frozen=True)
class Letterbox:
    """A frame in the middle of a picture of another shape: scaled alike across and down, its surroundings filled.

    Nothing of the frame is cut away. The scaled frame's sides are rounded to whole pixels, so that its two scales
    differ by at most half a pixel of the picture's side.
    """

    height: int
    """Of the frame, pixels."""
    width: int
    top: int
    """Of the scaled frame in the picture, pixels."""
    left: int
    rows: int
    """Of the scaled frame."""
    columns: int
    picture_height: int
    picture_width: int
    scale: float
    """Pixels of the picture for one of the frame, before sides are rounded."""

    @classmethod
    def of(cls, height: int, width: int, picture_height: int, picture_width: int, share: float = 1.0) -> "Letterbox":
        """The largest that a frame of `height` × `width` can be in a picture of that size, or that `share` of it."""
        scale = min(picture_height / height, picture_width / width) * share
        rows, columns = (max(1, floor(side * scale + 0.5)) for side in (height, width))
        top, left = (picture_height - rows) // 2, (picture_width - columns) // 2
        return cls(height, width, top, left, rows, columns, picture_height, picture_width, scale)

    @property
    def picture_size(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return self.picture_height, self.picture_width

    @property
    def fills(self) -> bool:
        """Whether the picture shows more than the frame."""
        return (self.rows, self.columns) != (self.picture_height, self.picture_width)

    def picture(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture, (h, w, 3) uint8, of a frame, (H, W, 3) uint8, which is resized by `resize_frame`."""
        return self._filled(resize_frame(np.ascontiguousarray(frame), self.rows, self.columns), FILL)

    def measured(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Measured depth, (H, W) float32 with 0 for no reading, in the picture, (h, w); 0 around it."""
        resized = resize_measured_depth(np.ascontiguousarray(depth), self.rows, self.columns)
        return self._filled(resized, cv2.BORDER_CONSTANT)

    def answer(self, answer: NDArray[np.float32]) -> NDArray[np.float32]:
        """A network's answer, (H, W) float32 with 0 where it says nothing, in the picture, (h, w); 0 around it."""
        return self._filled(resize_answer(answer, self.rows, self.columns), cv2.BORDER_CONSTANT)

    def segmentation(self, painted: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Painted masks, (H, W, 3) uint8, in the picture, (h, w, 3), filled as the frame is."""
        return self._filled(resize_segmentation(np.ascontiguousarray(painted), self.rows, self.columns), FILL)

    def inside(self, picture: NDArray[Number]) -> NDArray[Number]:
        """What of an array, (h, w, …), belongs to the frame: a view of (rows, columns, …)."""
        return picture[self.top : self.top + self.rows, self.left : self.left + self.columns]

    def depth(self, answer: NDArray[np.float32]) -> NDArray[np.float32]:
        """The frame's depth, (H, W) float32, of the picture's, (h, w), bilinear; what was filled is thrown away."""
        return resize_depth(np.ascontiguousarray(self.inside(answer)), self.height, self.width)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Where a pixel (x, y, 1) of the frame lies in the picture, (3, 3); pixels' centres are whole numbers."""
        across, down = self.columns / self.width, self.rows / self.height
        left, top = (across - 1) / 2 + self.left, (down - 1) / 2 + self.top
        return np.array([[across, 0, left], [0, down, top], [0, 0, 1]])

    def _filled(self, scaled: NDArray[Number], fill: int) -> NDArray[Number]:
        if not self.fills:
            return scaled
        below = self.picture_height - self.top - self.rows
        right = self.picture_width - self.left - self.columns
        picture: Any = scaled
        return cast(NDArray[Number], cv2.copyMakeBorder(picture, self.top, below, self.left, right, fill))


def fit(height: int, width: int, sizes: Sequence[InputSize]) -> Letterbox:
    """A frame of `height` × `width` in the size of a network whose shape is nearest to its own; the first of equals."""
    size = min(sizes, key=lambda size: abs(log(size.width / size.height) - log(width / height)))
    return Letterbox.of(height, width, size.height, size.width)
