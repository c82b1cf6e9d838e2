"""Depth as NumPy arrays, exactly as it was delivered: for programs that compute with it."""

from typing import Any, BinaryIO

import numpy as np

from clipdepth.frame import DepthFrame


def write_npz(frame: DepthFrame, file: BinaryIO) -> None:
    """Write an .npz of `depth`, (H, W) float32 metres, NaN where it is left out, and what it belongs to.

    `confidence` is (H, W) float32 from 0 to 1, see `DepthFrame.confidence`, where the model states it.
    `measured` is (H, W) float32 metres, NaN where nothing was seen, see `DepthFrame.measured`, where the source has it.
    `frame` is (H, W, 3) uint8 BGR, `intrinsics` its K, (3, 3) float64 pixels, where the centre of the top-left pixel is
    at (0, 0), `camera` text that says where its focal lengths come from, see `Origin`, such as 'assumed', and `time`
    float64 seconds since the source's first frame. Raises NotMetricError where depth is not metric.
    """
    arrays: dict[str, Any] = {
        "depth": frame.metres,
        "frame": frame.image,
        "intrinsics": frame.intrinsics.matrix,
        "camera": np.str_(frame.intrinsics.origin),
        "time": np.float64(frame.time),
    }
    if frame.confidence is not None:
        arrays["confidence"] = frame.confidence
    if frame.measured is not None:
        arrays["measured"] = frame.measured
    # Not compressed: that takes 40 times as long and saves a third.
    np.savez(file, **arrays)
