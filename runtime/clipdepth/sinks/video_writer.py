"""A video file that is written picture by picture, each at its own time."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from clipdepth.errors import OutputError

_LOG = logging.getLogger(__name__)

TICK = Fraction(1, 60_000)
"""Seconds: times are multiples of it. Usual rates divide it, 30000/1001 too."""
MILLISECOND = Fraction(1, 1000)
"""All that Matroska and WebM know."""
_BT601, _BT709, _LIMITED = 6, 1, 1
"""By FFmpeg's numbers: the matrix by which it makes YUV of BGR, colours and curve of screens, 16 to 235."""


@dataclass(frozen=True)
class Encoder:
    """One of FFmpeg's encoders, by its name, and its options."""

    name: str
    options: dict[str, str]


_H264 = (
    # Nothing waits for later pictures, so that large ones take the memory of a few.
    Encoder("libx264", {"preset": "superfast", "crf": "20", "tune": "zerolatency"}),
    Encoder("libopenh264", {"rc_mode": "quality", "allow_skip_frames": "0"}),
    # MPEG-4 Part 2: every FFmpeg has it, and players show it.
    Encoder("mpeg4", {"qscale": "3"}),
)
_VP9 = (
    Encoder(
        "libvpx-vp9",
        {"deadline": "realtime", "cpu-used": "8", "row-mt": "1", "lag-in-frames": "0", "crf": "30", "b": "0"},
    ),
)


@dataclass(frozen=True)
class Format:
    """What a suffix stands for."""

    container: str
    """FFmpeg's name."""
    encoders: Sequence[Encoder]
    """The first that this FFmpeg has is taken."""
    tick: Fraction
    options: dict[str, str]
    """Of the container."""


_INDEX_FIRST = {"movflags": "+faststart"}
"""So that a browser plays a video before it has all of it."""
FORMATS = {
    ".mp4": Format("mp4", _H264, TICK, _INDEX_FIRST),
    ".m4v": Format("mp4", _H264, TICK, _INDEX_FIRST),
    ".mov": Format("mov", _H264, TICK, _INDEX_FIRST),
    ".mkv": Format("matroska", _H264, MILLISECOND, {}),
    ".webm": Format("webm", _VP9, MILLISECOND, {}),
}


class VideoWriter:
    """A video that becomes `path`, in the format of its suffix, with pictures of `height` × `width`, both even.

    It is written to `draft`. Raises av.FFmpegError where that fails. `still_s` is how long a picture stands that is the
    only one.
    """

    def __init__(self, path: Path, draft: Path, height: int, width: int, still_s: float) -> None:
        form = FORMATS[path.suffix.lower()]
        encoder = _first_there(form.encoders, path)
        self.written = 0
        self._tick = form.tick
        self._last = 0
        self._step = round(still_s / form.tick)
        self._container = av.open(str(draft.absolute()), "w", format=form.container, container_options=form.options)
        self._stream = self._add_stream(encoder, height, width)

    def write(self, picture: NDArray[np.uint8], seconds: float) -> None:
        """Add a picture, (H, W, 3) uint8 BGR, shown from `seconds` on; one that is not later than the last, next."""
        stamp = round(seconds / self._tick)
        if self.written:
            stamp = max(stamp, self._last + 1)
            self._step = stamp - self._last
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        frame.pts, frame.time_base = stamp, self._tick
        self._last = stamp
        self._mux(frame)
        self.written += 1

    def finish(self) -> None:
        """Write what the encoder still holds, and the index."""
        self._mux(None)
        self._container.close()

    def _mux(self, frame: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            # Only the last picture stands as long as it says; the others stand until the next.
            packet.duration = self._step
            self._container.mux(packet)

    def _add_stream(self, encoder: Encoder, height: int, width: int) -> VideoStream:
        stream = self._container.add_stream(encoder.name, options=encoder.options)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        context = stream.codec_context
        context.time_base = self._tick
        context.colorspace, context.color_range = _BT601, _LIMITED
        context.color_primaries, context.color_trc = _BT709, _BT709
        return stream


def _first_there(encoders: Sequence[Encoder], path: Path) -> Encoder:
    for encoder in encoders:
        if encoder.name in av.codecs_available:
            if encoder.name == "mpeg4":
                _LOG.warning("this FFmpeg has no encoder of H.264; videos are MPEG-4 Part 2, which no browser plays")
            return encoder
    names = " or ".join(encoder.name for encoder in encoders)
    raise OutputError(f"{path} cannot be written: this FFmpeg has no {names}; choose .mp4, or another build of PyAV")
