"""The crops of NYU Depth v2's 640×480 pictures that the paper and its predecessors use."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import UsageError

NYU_SIZE = (480, 640)

Pixel = TypeVar("Pixel", bound=np.generic)


@dataclass(frozen=True)
class Crop:
    """Rows `top` to `bottom` and columns `left` to `right` of a 640×480 picture, the latter of each not included."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.bottom - self.top, self.right - self.left

    def of(self, picture: NDArray[Pixel]) -> NDArray[Pixel]:
        """What the crop shows of a picture or depth, (480, 640, …), or of what lies inside NYU's frame."""
        inside = self.within(*picture.shape[:2])
        return picture[inside.top : inside.bottom, inside.left : inside.right]

    def within(self, height: int, width: int) -> "Crop":
        """The same pixels in a picture of that size: 640×480, or the 625×467 inside NYU's frame.

        Raises UsageError for any other.
        """
        if (height, width) == INNER.size:
            return Crop(self.top - INNER.top, self.bottom - INNER.top, self.left - INNER.left, self.right - INNER.left)
        if (height, width) != NYU_SIZE:
            raise UsageError(
                f"the paper's and Eigen's crops are for 640×480 pictures, these are {width}×{height}; "
                "use '--frames.picture whole' in training and '--crop all' in evaluation"
            )
        return self

    def mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """(height, width) bool, true inside; raises UsageError as `within` does."""
        mask = np.zeros((height, width), bool)
        self.of(mask)[...] = True
        return mask


PAPER_TRAIN = Crop(45, 472, 43, 608)
"""What training's random crops are cut from."""
PAPER_TEST = Crop(56, 472, 60, 604)
"""416×544: the paper's test pictures, and the size of its random crops."""
EIGEN = Crop(45, 471, 41, 601)
"""Where Eigen et al. 2014 and most later papers evaluate."""
INNER = Crop(7, 474, 7, 632)
"""What lies inside the white frame around each of NYU's pictures, which many conversions blacken: 467×625."""

_RIM = 4
"""Pixels at each side of a picture by which the frame is told."""
_WHITE, _BLACK = 235, 20


def has_frame(picture: NDArray[np.uint8]) -> bool:
    """Whether a picture (H, W, 3) is 640×480 with NYU's white or blackened frame around it."""
    if picture.shape[:2] != NYU_SIZE:
        return False
    rim = np.ones(NYU_SIZE, bool)
    rim[_RIM:-_RIM, _RIM:-_RIM] = False
    # All but the specks that JPEG makes.
    darkest, brightest = np.quantile(picture[rim], (0.01, 0.99))
    return bool(darkest >= _WHITE or brightest <= _BLACK)
