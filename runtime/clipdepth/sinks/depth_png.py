"""Depth as 16-bit PNG files in millimetres, the form that depth cameras and datasets use."""

from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.frame import DepthFrame
from clipdepth.sinks.row_blocks import row_blocks

MAX_MILLIMETRES = 65535


def write_png(frame: DepthFrame, file: BinaryIO) -> None:
    """Write a frame's depth as a PNG file of `to_millimetres`; raises NotMetricError where it is not metric."""
    file.write(cv2.imencode(".png", to_millimetres(frame.metres))[1].data)


def to_millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Depth, (H, W) float32 metres, as (H, W) uint16 millimetres, rounded.

    0 stands for depth that is unknown: not finite, not above 0, or beyond 65.535 m.
    """
    millimetres = np.empty(depth.shape, np.uint16)
    for rows in row_blocks(*depth.shape):
        millimetres[rows] = _rounded(depth[rows])
    return millimetres


def _rounded(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    millimetres = np.rint(depth.astype(np.float64) * 1000)
    known = np.isfinite(millimetres) & (millimetres > 0) & (millimetres <= MAX_MILLIMETRES)
    return np.where(known, millimetres, 0).astype(np.uint16)
