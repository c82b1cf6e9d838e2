"""How sure a model is of its depth: what a confidence means, and the interval that follows from it.

The relative error |d - t| / t of a pixel is taken to be exponential with a scale b that the model states, as is the
magnitude of a Laplace error. Confidence is the probability of an error up to WITHIN: 1 - exp(-WITHIN / b).
"""

import math

import numpy as np
from numpy.typing import NDArray

WITHIN = 0.1
"""The relative error that confidence is the probability of staying within."""
COVERED = 0.9
"""The share of pixels whose truth lies in the interval that `half_width` gives."""


def half_width(confidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """Half the width of the interval that holds the truth nine times in ten, relative to depth, float32, for any shape.

    The interval is depth · (1 ± half width): of the stated depth, which differs from the true one by little. It is
    infinite where the confidence is 0.
    """
    with np.errstate(divide="ignore"):
        scale = -WITHIN / np.log1p(-np.asarray(confidence, np.float32))
    return np.asarray(-math.log(1 - COVERED) * scale, np.float32)
