"""The crops of NYU Depth v2's 640×480 pictures that the paper and its predecessors use."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import UsageError

NYU_SIZE = (480, 640)


@dataclass(frozen=True)
class Crop:
    """Rows `top` to `bottom` and columns `left` to `right`, the latter of each not included."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.bottom - self.top, self.right - self.left

    def mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """(height, width) bool, true inside; raises UsageError for a picture that is not 640×480."""
        require_nyu_size(height, width)
        mask = np.zeros((height, width), bool)
        mask[self.top : self.bottom, self.left : self.right] = True
        return mask


PAPER_TRAIN = Crop(45, 472, 43, 608)
"""What training's random crops are cut from."""
PAPER_TEST = Crop(56, 472, 60, 604)
"""416×544: the paper's test pictures, and the size of its random crops."""
EIGEN = Crop(45, 471, 41, 601)
"""Where Eigen et al. 2014 and most later papers evaluate."""


def require_nyu_size(height: int, width: int) -> None:
    """Raise UsageError where pictures are not 640×480, for which these crops are defined."""
    if (height, width) != NYU_SIZE:
        raise UsageError(
            f"the paper's and Eigen's crops are for 640×480 pictures, these are {width}×{height}; "
            "use '--frames.picture whole' in training and '--crop all' in evaluation"
        )
