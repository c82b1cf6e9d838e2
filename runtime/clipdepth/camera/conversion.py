"""From the numbers that a network answers to metres."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.bundle.manifest import DepthRange


@dataclass(frozen=True)
class Conversion:
    """What makes depth z in metres of a network's answer a, which is of kind `answered`.

    Metric: z = scale · a. Relative: z = scale · a + shift. Disparity: 1 / z = scale · a + shift. The last two have to
    be fitted to measured points; as long as they are not the answer stays what it is.
    """

    answered: DepthKind = METRIC
    scale: float = 1.0
    shift: float = 0.0
    span: DepthRange | None = None
    """Metres that fitted depth is kept within; None where nothing was fitted to an answer that is not metric."""

    @property
    def kind(self) -> DepthKind:
        """What the result is."""
        return self.answered if self.span is None else METRIC

    def __call__(self, answer: NDArray[np.float32]) -> NDArray[np.float32]:
        """The answer, float32 of any shape, as depth of `kind`."""
        if self.span is None:
            return answer if self.scale == 1 else np.asarray(answer * np.float32(self.scale), np.float32)
        line = answer * np.float32(self.scale) + np.float32(self.shift)
        nearest, farthest = self.span.minimum, self.span.maximum
        if self.answered == "disparity":
            # Clipped before the division: inverse depth of 0 or less is beyond everything.
            return np.asarray(1 / np.clip(line, 1 / farthest, 1 / nearest), np.float32)
        return np.asarray(np.clip(line, nearest, farthest), np.float32)
