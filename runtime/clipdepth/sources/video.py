"""A video file, or one on a web server."""

import logging
from collections.abc import Iterator
from pathlib import Path

import av

from clipdepth.errors import SourceError
from clipdepth.files.ffmpeg import open_file
from clipdepth.files.focal_length import focal_of_35mm
from clipdepth.files.hwaccel import HardwareDecoder
from clipdepth.files.quicktime import video_focal_35mm
from clipdepth.files.video import Video, upright
from clipdepth.sources import Captured

_LOG = logging.getLogger(__name__)

ASSUMED_RATE = 25.0
"""Frames a second of a video that states neither times nor a rate; FFmpeg's own guess."""
SECONDS_MISSING = 1.0
"""How much earlier than its container says a video may end before it counts as cut; its sound may be longer."""


class VideoSource:
    """The frames of a video, each with its own time stamp and upright. Damaged frames are left out.

    Opening reads the first frame, so that a file without pictures is refused at once. It can be read once.
    `focal_35mm` is what the file says of its lens, mm of 35 mm film; 0 where it says nothing.
    """

    live = False
    timed = True
    is_lost = False

    def __init__(self, video: Video, focal_35mm: float = 0.0) -> None:
        self.name = video.name
        self._focal_35mm = focal_35mm
        self._video: Video | None = video
        self._frames = video.frames()
        self._first = next(self._frames, None)
        if self._first is None:
            raise no_frame(self.name)
        self.fps = video.rate
        self.losses = 0
        """How many frames were damaged and left out, so far."""

    @property
    def frame_count(self) -> int | None:
        """See `Source.frame_count`: what the container claims, which need not be true."""
        video = self._video
        if video is None or video.stated_frames:
            return video.stated_frames if video else None
        return round(video.stated_seconds * video.rate) if video.stated_seconds and video.rate else None

    def __iter__(self) -> Iterator[Captured]:
        """See `Source.__iter__`; a video that ends before its claimed length is warned of, and damaged frames once."""
        following, index, time, start = self._first, 0, 0.0, None
        # This reference keeps the video open where another thread closes the source during a read.
        while video := self._video:
            self._count_damaged(video, time)
            if following is None:
                return self._warn_if_cut(video, index, time)
            stamp, frame = following
            start = stamp if start is None else start
            if stamp is not None and start is not None:
                time = float((stamp - start) * video.time_base)
            elif index:
                time += 1 / (self.fps or ASSUMED_RATE)
            picture = upright(frame)
            height, width = picture.shape[:2]
            yield Captured(picture, time, index, focal_px=focal_of_35mm(self._focal_35mm, width, height))
            index += 1
            following = next(self._frames, None)

    def close(self) -> None:
        """See `Source.close`."""
        self._video = None

    def __enter__(self) -> "VideoSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _count_damaged(self, video: Video, time: float) -> None:
        if video.damaged and not self.losses:
            text = "%s has damaged frames, the first about %.2f s after its start; they are left out"
            _LOG.warning(text, self.name, time, extra={"source": self.name})
        self.losses = video.damaged

    def _warn_if_cut(self, video: Video, frames: int, time: float) -> None:
        if video.stated_frames:
            # Packets are counted, since an edit list may hide frames that the container counts.
            if video.packets < video.stated_frames - 1:
                text = "%s ended after %d of %d frames; the rest is damaged or missing"
                _LOG.warning(text, self.name, frames, video.stated_frames)
        elif video.stated_seconds and time < 0.95 * video.stated_seconds - SECONDS_MISSING:
            text = "%s ended after %.1f of %.1f s; the rest is damaged or missing"
            _LOG.warning(text, self.name, time, video.stated_seconds)


def open_video(path: Path, decoder: HardwareDecoder | None = None) -> VideoSource:
    """Open a video file, to be decoded by `decoder` where that knows its codec.

    Raises SourceError where it has no frame, or names other files instead.
    """
    try:
        container = open_file(path, decoder)
    except av.FFmpegError:
        raise no_frame(str(path)) from None
    video = Video(str(path), container)
    tell_decoder(video, decoder)
    return VideoSource(video, video_focal_35mm(path))


def tell_decoder(video: Video, decoder: HardwareDecoder | None) -> None:
    """Warn of a video that is decoded in software though a `decoder` was given."""
    if decoder and not video.in_hardware:
        text = "%s is decoded in software: %s does not know its codec"
        _LOG.warning(text, video.name, decoder, extra={"source": video.name})


def no_frame(name: str) -> SourceError:
    """What a video is refused with that cannot be read."""
    return SourceError(
        f"{name} has no frame that can be decoded; it is damaged, cut short or no video: "
        "copy it again, or convert it to H.264 in an MP4"
    )
