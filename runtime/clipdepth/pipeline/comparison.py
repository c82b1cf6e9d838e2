"""How far depth is from what a sensor of the source measured."""

from dataclasses import dataclass

import numpy as np

from clipdepth.bundle.kind import METRIC
from clipdepth.frame import DepthFrame

DELTA1 = 1.25
"""Of which factor most pixels should be closer (Eigen, Puhrsch and Fergus, NIPS 2014)."""


@dataclass(frozen=True)
class Comparison:
    """Our depth beside the sensor's, over the pixels of a frame that have both; means over frames.

    The sensor is no truth: stereo and time of flight have errors of their own, and their gaps are not by chance.
    """

    rel: float
    """The mean of |ours - its| / its, known as AbsRel."""
    delta1: float
    """The share of pixels where the larger of both is less than 1.25 times the smaller."""
    median_ratio: float
    """The median of ours / its: 1.1 where ours is 10% farther."""
    share: float
    """The share of the pixels that have both."""
    frames: int
    """How many had such pixels."""


class ComparisonTally:
    """Adds up frame by frame; each frame counts alike."""

    def __init__(self) -> None:
        self._frames = 0
        self._sums = np.zeros(4)

    def add(self, frame: DepthFrame) -> None:
        """Count a frame, if its source measures and its depth is in metres."""
        measured = frame.measured
        if measured is None or frame.kind != METRIC:
            return
        both = np.isfinite(frame.depth) & np.isfinite(measured)
        if not both.any():
            return
        # All three in one pass of float32: `depth_metrics` takes three times as long, for every frame of a camera.
        ratio = frame.depth[both] / measured[both]
        rel = np.abs(ratio - 1).mean(dtype=np.float64)
        close = (ratio < DELTA1) & (ratio * DELTA1 > 1)
        self._sums += (rel, close.mean(), np.median(ratio), both.mean())
        self._frames += 1

    def summary(self) -> Comparison | None:
        """The means; None where nothing was measured."""
        if not self._frames:
            return None
        rel, delta1, ratio, share = (self._sums / self._frames).tolist()
        return Comparison(rel, delta1, ratio, share, self._frames)
