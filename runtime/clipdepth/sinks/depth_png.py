"""Depth as 16-bit PNG files in millimetres, the form that depth cameras and datasets use."""

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.frame import DepthFrame

MAX_MILLIMETRES = 65535


def encode_png(frame: DepthFrame) -> bytes:
    """A frame's depth as a PNG file of `to_millimetres`; raises NotMetricError where it is not metric."""
    return cv2.imencode(".png", to_millimetres(frame.metres))[1].tobytes()


def to_millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Depth, (H, W) float32 metres, as (H, W) uint16 millimetres, rounded.

    0 stands for depth that is unknown: not finite, not above 0, or beyond 65.535 m.
    """
    millimetres = np.rint(depth.astype(np.float64) * 1000)
    known = np.isfinite(millimetres) & (millimetres > 0) & (millimetres <= MAX_MILLIMETRES)
    return np.where(known, millimetres, 0).astype(np.uint16)
