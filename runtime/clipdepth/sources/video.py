"""A video file, or one on a web server, read by OpenCV."""

import logging
import math
from collections.abc import Iterator
from pathlib import Path

import cv2

from clipdepth.errors import SourceError
from clipdepth.files.ffmpeg import open_file
from clipdepth.files.focal_length import focal_of_35mm
from clipdepth.files.quicktime import video_focal_35mm
from clipdepth.sources import Captured
from clipdepth.sources.capture import Capture, read_frame

_LOG = logging.getLogger(__name__)


class VideoSource:
    """The frames of a video, each with its own time stamp.

    Opening reads the first frame, so that a file without pictures is refused at once. It can be read once.
    `focal_35mm` is what the file says of its lens, mm of 35 mm film; 0 where it says nothing.
    """

    live = False
    losses = 0

    def __init__(self, name: str, capture: Capture, focal_35mm: float = 0.0) -> None:
        self.name = name
        self._focal_35mm = focal_35mm
        first = read_frame(capture) if capture.isOpened() else None
        if first is None:
            raise SourceError(
                f"{name} has no frame that can be decoded; it is damaged, cut short or no video: "
                "copy it again, or convert it to H.264 in an MP4"
            )
        self._first = first
        self._capture: Capture | None = capture
        self._start = capture.get(cv2.CAP_PROP_POS_MSEC)
        self.fps = stated(capture.get(cv2.CAP_PROP_FPS))
        count = stated(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.frame_count = int(count) if count else None
        """What the container claims, which need not be true."""

    def __iter__(self) -> Iterator[Captured]:
        """See `Source.__iter__`; a video that ends before its claimed length is warned of."""
        frame, index = self._first, 0
        # This reference keeps the video open where another thread closes the source during a read.
        while capture := self._capture:
            time = (capture.get(cv2.CAP_PROP_POS_MSEC) - self._start) / 1000
            height, width = frame.shape[:2]
            yield Captured(frame, time, index, focal_px=focal_of_35mm(self._focal_35mm, width, height))
            index += 1
            following = read_frame(capture)
            if following is None:
                return self._warn_if_cut(index)
            frame = following

    def close(self) -> None:
        """See `Source.close`."""
        self._capture = None

    def __enter__(self) -> "VideoSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _warn_if_cut(self, frames: int) -> None:
        # Where a container only knows its duration, its count is rounded: one frame less is no loss.
        if self.frame_count is not None and frames < self.frame_count - 1:
            text = "%s ended after %d of %d frames; the rest is damaged or missing"
            _LOG.warning(text, self.name, frames, self.frame_count)


def open_video(path: Path) -> VideoSource:
    """Open a video file; raises SourceError where it has no frame, or names other files instead."""
    return VideoSource(str(path), open_file(path), video_focal_35mm(path))


def stated(value: float) -> float | None:
    """A property of a capture, or None where it does not know: OpenCV says 0, NaN or something below 0 then."""
    return value if math.isfinite(value) and value > 0 else None
