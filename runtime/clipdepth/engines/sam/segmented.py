"""An engine of a model that needs Segment Anything, run from a plain frame."""

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.answer import Answer
from clipdepth.engines import Engine
from clipdepth.engines.operations import Operation
from clipdepth.engines.sam.generator import MaskGenerator
from clipdepth.engines.sam.painting import paint


class SegmentedEngine:
    """Segments and paints each frame before its depth is inferred, unless its segmentation is given."""

    def __init__(self, depth: Engine, masks: MaskGenerator) -> None:
        self.name, self.device = depth.name, depth.device
        self._depth, self._masks = depth, masks

    def infer(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> Answer:
        """See `Engine.infer`."""
        return self._depth.infer(frames, self._painted(frames) if segmentation is None else segmentation)

    def operations(self) -> list[Operation]:
        """See `Engine.operations`; those of the depth graph alone."""
        return self._depth.operations()

    def profile(self, frames: NDArray[np.uint8], segmentation: NDArray[np.uint8] | None = None) -> list[Operation]:
        """See `Engine.profile`; of the depth graph alone."""
        return self._depth.profile(frames, self._painted(frames) if segmentation is None else segmentation)

    def close(self) -> None:
        """See `Engine.close`."""
        self._depth.close()

    def _painted(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.stack([paint(self._masks(frame)) for frame in frames])
