"""How sure a model is of its depth: what confidence and novelty mean, and the interval that follows from confidence.

The relative error |d - t| / t of a pixel is taken to be exponential with a scale b that the model states, as is the
magnitude of a Laplace error. Confidence is the probability of an error up to WITHIN: 1 - exp(-WITHIN / b).

Novelty is of a frame as a whole: how far the mean of its features is from the mean of training frames, by their own
covariance (Mahalanobis). Its unit is the distance that one in a hundred frames exceeds which were held out of training:
above NOVEL a frame is unlike what the model learned from, and so is its confidence.
"""

import math

import numpy as np
from numpy.typing import NDArray

WITHIN = 0.1
"""The relative error that confidence is the probability of staying within."""
NOVEL = 1.0
"""The novelty above which a frame is unlike what the model learned from."""
COVERED = 0.9
"""The share of pixels whose truth lies in the interval that `half_width` gives."""
LEVELS = 255
"""Where confidence is kept in 8 bits, the level of 1."""


def half_width(confidence: NDArray[np.float32]) -> NDArray[np.float32]:
    """Half the width of the interval that holds the truth nine times in ten, relative to depth, float32, for any shape.

    The interval is depth · (1 ± half width): of the stated depth, which differs from the true one by little. It is
    infinite where the confidence is 0.
    """
    with np.errstate(divide="ignore"):
        scale = -WITHIN / np.log1p(-np.asarray(confidence, np.float32))
    return np.asarray(-math.log(1 - COVERED) * scale, np.float32)


def leave_out(depth: NDArray[np.float32], confidence: NDArray[np.float32] | None, least: float) -> NDArray[np.float32]:
    """Depth, float32 of any shape, with NaN where its confidence, of the same shape, is less than `least`.

    Depth itself where that leaves nothing out: `least` is 0, or there is no confidence.
    """
    if confidence is None or not least:
        return depth
    return np.where(confidence >= least, depth, np.float32(np.nan))


def to_levels(confidence: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Confidence, float32 from 0 to 1 of any shape, in 255ths, rounded: uint8."""
    return np.asarray(np.rint(confidence * np.float32(LEVELS)), np.uint8)
