"""How depth is spread over a set."""

import numpy as np
from numpy.typing import NDArray

FARTHEST = 300.0
BINS = 600
"""Bins of the histogram, alike in the logarithm of metres from 5 cm on."""
NEAREST = 0.05


class DepthStatistics:
    """A histogram of all known depth, and how much is unknown or beyond `max_depth` metres."""

    def __init__(self, max_depth: float) -> None:
        self.max_depth = max_depth
        self.edges = np.geomspace(NEAREST, FARTHEST, BINS + 1)
        self.counts = np.zeros(BINS, np.int64)
        self.pixels = self.holes = self.beyond = 0

    def add(self, depth: NDArray[np.float32]) -> None:
        """Take depth in, (H, W) metres, 0 for unknown."""
        known = depth[depth > 0]
        self.pixels += depth.size
        self.holes += depth.size - known.size
        self.beyond += int((known > self.max_depth).sum())
        self.counts += np.histogram(np.clip(known, NEAREST, FARTHEST), self.edges)[0]

    @property
    def share_of_holes(self) -> float:
        """Of all pixels, how many have no depth."""
        return self.holes / max(self.pixels, 1)

    @property
    def share_beyond(self) -> float:
        """Of those with depth, how many are beyond the range."""
        return self.beyond / max(self.pixels - self.holes, 1)

    def quantile(self, share: float) -> float:
        """The depth in metres that so large a share of the known pixels is nearer than; NaN where none is known."""
        total = self.counts.sum()
        if total == 0:
            return float("nan")
        index = int(np.searchsorted(np.cumsum(self.counts), share * total))
        return float(np.sqrt(self.edges[index] * self.edges[min(index, BINS - 1) + 1])) if index < BINS else FARTHEST
