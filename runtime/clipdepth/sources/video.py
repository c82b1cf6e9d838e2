"""A video file, read by OpenCV."""

import logging
import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clipdepth.errors import SourceError
from clipdepth.sources import Captured

_LOG = logging.getLogger(__name__)


class VideoSource:
    """The frames of a video, each with its own time stamp.

    Opening reads the first frame, so that a file without pictures is refused at once. It can be read once.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._capture = cv2.VideoCapture(str(path))
        first = self._read() if self._capture.isOpened() else None
        if first is None:
            self._capture.release()
            raise SourceError(
                f"{path} has no frame that can be decoded; it is damaged, cut short or no video: "
                "copy it again, or convert it to H.264 in an MP4"
            )
        self._first: NDArray[np.uint8] = first
        self._start = self._clock()

    @property
    def fps(self) -> float | None:
        """See `Source.fps`."""
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        return fps if math.isfinite(fps) and fps > 0 else None

    @property
    def frame_count(self) -> int | None:
        """See `Source.frame_count`; what the container claims, which need not be true."""
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        return int(count) if math.isfinite(count) and count > 0 else None

    def __iter__(self) -> Iterator[Captured]:
        """See `Source.__iter__`; a video that ends before its claimed length is warned of."""
        frame: NDArray[np.uint8] | None = self._first
        index = 0
        while frame is not None:
            yield Captured(frame, self._clock() - self._start, index)
            index += 1
            frame = self._read()
        # Where a container only knows its duration, its count is rounded: one frame less is no loss.
        if self.frame_count is not None and index < self.frame_count - 1:
            _LOG.warning(
                "%s ended after %d of %d frames; the rest is damaged or missing",
                self.name,
                index,
                self.frame_count,
            )

    def __enter__(self) -> "VideoSource":
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.release()

    def _read(self) -> NDArray[np.uint8] | None:
        read, frame = self._capture.read()
        return np.asarray(frame, np.uint8) if read else None

    def _clock(self) -> float:
        """The time stamp of the frame read last, in seconds."""
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
