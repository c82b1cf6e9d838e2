"""A set of RGB-D pairs that are held in memory, for tests."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clipdepth_train.data.sample import RgbdPair, View


class MemorySet:
    """See clipdepth_train.data.sample.RgbdSet."""

    def __init__(self, pairs: Sequence[RgbdPair]) -> None:
        self._pairs = pairs
        height, width = pairs[0].depth.shape
        self.picture_size = (height, width)
        self.focal = (100.0, 100.0)
        self.centre = ((width - 1) / 2, (height - 1) / 2)
        self.shuffle_window = len(pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> RgbdPair:
        return self._pairs[index]

    def neighbour(self, index: int, after: bool) -> View:
        """The next pair's picture, or the one before, round the end; its camera stands a metre to the right or left."""
        step = 1 if after else -1
        pose = np.eye(4)
        pose[0, 3] = -step
        return View(self._pairs[(index + step) % len(self._pairs)].frame, pose)


def coordinate_frame(height: int, width: int, step: int = 1) -> NDArray[np.uint8]:
    """(H, W, 3) BGR: red is `step` times the column, green `step` times the row."""
    rows, columns = np.mgrid[:height, :width] * step
    assert rows.max() < 256
    assert columns.max() < 256
    return np.stack([np.zeros_like(rows), rows, columns], axis=-1).astype(np.uint8)


def coordinate_depth(height: int, width: int) -> NDArray[np.float32]:
    """(H, W) float32 metres that tell the pixel: 1 m and a millimetre for each pixel before it."""
    return (1 + np.arange(height * width) / 1000).reshape(height, width).astype(np.float32)
