"""Frames with a given depth, as sinks get them."""

import numpy as np
from numpy.typing import NDArray

from clipdepth.camera.pinhole import Intrinsics
from clipdepth.frame import DepthFrame
from clipdepth.rooms import default_intrinsics
from clipdepth.sources import Captured


def with_depth(captured: Captured, depth: NDArray[np.float32], pinhole: Intrinsics | None = None) -> DepthFrame:
    """A frame with its depth, (H, W) float32 metres, seen through `pinhole` (that of the rooms)."""
    pinhole = pinhole or default_intrinsics(*captured.frame.shape[:2])
    return DepthFrame(captured.frame, depth, pinhole, captured.time, captured.index, "test", captured.captured_ns)
