"""Sinks: where depth goes. A video to look at, or 16-bit pictures to measure with."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import UsageError
from clipdepth.intrinsics import Intrinsics
from clipdepth.sources import Captured

__all__ = ["Sink", "open_sink"]

IMAGES_FPS = 10.0
"""How fast images play that carry no time, frames a second."""


class Sink(Protocol):
    """Something that keeps depth; a context manager, since only its end makes a video whole."""

    path: Path
    """The file or folder that it writes."""

    def write(self, captured: Captured, depth: NDArray[np.float32]) -> None:
        """Keep a frame and its depth, (H, W) float32 metres; raises OSError where that is impossible."""

    def __enter__(self) -> "Sink":
        """Return itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish what was written; see each sink for what an error or Ctrl-C leaves behind."""


PinholeAt = Callable[[int, int], Intrinsics]
"""From the height and width of a frame to the pinhole that its depth belongs to."""


def open_sink(
    path: Path, fps: float | None, near: float, far: float, pinhole_at: PinholeAt, *, live: bool = False
) -> Sink:
    """A video for x.mp4, point clouds for x.ply, 16-bit PNG files for a folder or a name without suffix.

    `fps` is the source's, None for images; `near` and `far`, metres, are the ends of the video's colours. The video
    of a `live` source, of which frames may be missing, keeps its time.
    Raises UsageError for any other suffix.
    """
    if path.suffix.lower() == ".mp4" and not path.is_dir():
        from clipdepth.sinks.video import VideoSink

        return VideoSink(path, fps or IMAGES_FPS, near, far, live=live)
    if path.suffix.lower() == ".ply" and not path.is_dir():
        from clipdepth.sinks.point_cloud import PointCloudSink

        return PointCloudSink(path, pinhole_at)
    if path.is_dir() or not path.suffix:
        from clipdepth.sinks.depth_png import DepthPngSink

        return DepthPngSink(path)
    raise UsageError(f"cannot write {path}: give a name that ends in .mp4 or .ply, or a folder for 16-bit PNGs")
