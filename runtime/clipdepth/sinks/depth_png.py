"""Depth as 16-bit PNG files in millimetres, the form that depth cameras and datasets use."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.atomic import atomic_file, make_folder
from clipdepth.errors import OutputError
from clipdepth.sources import Captured

MAX_MILLIMETRES = 65535


class DepthPngSink:
    """Writes `depth_000000.png` and so on into a folder, numbered as the source numbers its frames.

    Each file is whole or not there; an error or Ctrl-C leaves the files of the frames before it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, captured: Captured, depth: NDArray[np.float32]) -> None:
        """See `Sink.write`."""
        _, data = cv2.imencode(".png", to_millimetres(depth))
        # Not cv2.imwrite: on a full disk it returns False and does not say why.
        with atomic_file(self.path / f"depth_{captured.index:06d}.png") as partial:
            partial.write_bytes(data.tobytes())

    def __enter__(self) -> "DepthPngSink":
        make_folder(self.path)
        if any(self.path.glob("depth_*.png")):
            raise OutputError(f"{self.path} holds depth_*.png files already; remove them or choose another")
        return self

    def __exit__(self, *_: object) -> None:
        pass


def to_millimetres(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Depth, (H, W) float32 metres, as (H, W) uint16 millimetres, rounded.

    0 stands for depth that is unknown: not finite, not above 0, or beyond 65.535 m.
    """
    millimetres = np.rint(depth.astype(np.float64) * 1000)
    known = np.isfinite(millimetres) & (millimetres > 0) & (millimetres <= MAX_MILLIMETRES)
    return np.where(known, millimetres, 0).astype(np.uint16)
