"""Colours of depth that is not in metres: by each frame's own nearest and farthest."""

import numpy as np
from numpy.typing import NDArray

from clipdepth.bundle.kind import DepthKind

NEAREST, FARTHEST = 1.0, 2.0
"""The values of `spread`, which are no metres."""
ENDS = 2, 98
"""The percentiles of a frame's answers that are its ends: single pixels do not set the colours of all."""


def spread(answer: NDArray[np.float32], kind: DepthKind) -> NDArray[np.float32]:
    """A frame's relative depth or disparity, float32 of any shape, from 1, its nearest, to 2, its farthest.

    What lies beyond the ends is put at the end, and what is not finite is 0, unknown.
    """
    known = np.isfinite(answer)
    if not known.any():
        return np.zeros_like(answer)
    depth = -answer if kind == "disparity" else answer
    near, far = (float(end) for end in np.percentile(depth[known], ENDS))
    share = (np.where(known, depth, near) - near) / max(far - near, 1e-12)
    return np.where(known, NEAREST + np.clip(share, 0, 1) * (FARTHEST - NEAREST), 0).astype(np.float32)
