"""How sure the model was of a source's frames."""

from dataclasses import dataclass

import numpy as np

from clipdepth.frame import DepthFrame


@dataclass(frozen=True)
class Confidence:
    """What the model said of its depth, over all pixels of all frames, at the network's size."""

    mean: float
    """The mean confidence, see `DepthFrame.raw_confidence`."""
    left_out: float
    """The share of pixels that were left out for too little of it, see `DepthFrame.min_confidence`."""


class ConfidenceTally:
    """Adds up frame by frame; each frame counts alike."""

    def __init__(self) -> None:
        self._frames = 0
        self._mean = self._left_out = 0.0

    def add(self, frame: DepthFrame) -> None:
        """Count a frame, if the model says how sure it is."""
        if frame.raw_confidence is None:
            return
        self._frames += 1
        self._mean += float(frame.raw_confidence.mean(dtype=np.float64))
        if frame.min_confidence:
            self._left_out += 1 - float((frame.raw_confidence >= frame.min_confidence).mean())

    def summary(self) -> Confidence | None:
        """The means; None where the model said nothing."""
        if not self._frames:
            return None
        return Confidence(self._mean / self._frames, self._left_out / self._frames)
