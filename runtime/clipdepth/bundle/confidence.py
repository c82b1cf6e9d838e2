"""How sure a model is of its depth: what confidence and novelty mean, and the interval that follows from confidence.

The relative error |d - t| / t of a pixel is taken to have a Weibull law of shape SHAPE and of a scale b that the model
states. Confidence is the probability of an error up to WITHIN: 1 - exp(-(WITHIN / b)^SHAPE).

Novelty is of a frame as a whole: how far the mean of its features is from the mean of training frames, by their own
covariance (Mahalanobis). Its unit is the distance that one in a hundred frames exceeds which were held out of training:
above NOVEL a frame is unlike what the model learned from, and so is its confidence.
"""

import math

import numpy as np
from numpy.typing import NDArray

WITHIN = 0.1
"""The relative error that confidence is the probability of staying within."""
SHAPE = 1.1
"""Of the law of errors; 1 is an exponential one, as of the magnitude of a Laplace error, which has more that are small.

Where confidence is right, intervals of 90% by this shape hold 90.6% of the pixels of NYU frames that were held out of
training, and by an exponential law 93.1%."""
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
        hazard = -np.log1p(-np.asarray(confidence, np.float32))
        return np.asarray(WITHIN * (-math.log(1 - COVERED) / hazard) ** (1 / SHAPE), np.float32)


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
