"""Frames that a Python program makes."""

from collections.abc import Iterable, Iterator
from time import monotonic_ns

import numpy as np
from numpy.typing import NDArray

from clipdepth.frame import checked_image
from clipdepth.sources import Captured


class FramesSource:
    """Any iterable of frames, (H, W, 3) uint8 BGR, as a source; their sizes may differ.

    With `live` the newest frame counts, as with a camera. Without, every frame does, and one at a time is asked for.
    Each frame is copied before the next one is asked for: cameras' libraries fill one buffer again and again.
    """

    fps = None
    frame_count = None
    losses = 0
    is_lost = False

    def __init__(self, frames: Iterable[NDArray[np.uint8]], *, live: bool = False, name: str = "frames") -> None:
        self.name = name
        self.live = live
        self.timed = live
        self._frames = frames
        self._closed = False

    def __iter__(self) -> Iterator[Captured]:
        """See `Source.__iter__`; raises SourceError for something that is no frame."""
        start = monotonic_ns()
        for index, frame in enumerate(self._frames):
            if self._closed:
                return
            now = monotonic_ns()
            start = start if index else now
            checked = checked_image(frame, f"frame {index} of {self.name}")
            yield Captured(checked.copy(), (now - start) / 1e9, index, now)

    def close(self) -> None:
        """See `Source.close`."""
        self._closed = True

    def __enter__(self) -> "FramesSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def array_source(array: NDArray[np.uint8], *, live: bool = False) -> FramesSource:
    """A picture, (H, W, 3) uint8 BGR, or several of one size, (N, H, W, 3); raises SourceError for any other array."""
    if array.ndim != 4:
        return FramesSource([checked_image(array, "the image")], live=live, name="image")
    for picture in array[:1]:
        checked_image(picture, "each image of the array")
    return FramesSource(array, live=live)
