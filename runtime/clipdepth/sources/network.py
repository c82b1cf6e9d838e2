"""Network streams, and videos that lie on a server."""

import logging
import re
from functools import partial
from time import monotonic

import av

from clipdepth.errors import SourceError, UsageError
from clipdepth.files.ffmpeg import STREAMS, open_url
from clipdepth.files.hwaccel import HardwareDecoder
from clipdepth.files.video import Video, upright
from clipdepth.sources import Source
from clipdepth.sources.capture import Reading
from clipdepth.sources.live import LiveSource, Reconnect
from clipdepth.sources.video import VideoSource, tell_decoder

_LOG = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 5.0
OTHERS = (
    "other cameras are csi://0, libcamera://, realsense:// or 'gst: PIPELINE', "
    "and 'clipdepth cameras' lists what is here"
)
CLOCKLESS = ("mjpeg", "mpjpeg", "jpeg_pipe", "mpegvideo", "m4v", "h264", "hevc")
"""Streams of bare pictures, by FFmpeg's names. Their stamps count frames, whenever those were taken."""


MOST_BACKLOG_S = 5.0
"""Of a stream's own time: FFmpeg looks at up to so much of it before it gives the first frame."""

UNKNOWN_S = 0.1
"""Taken for the time between two frames of which one has no stamp."""
IN_TIME = 2
"""How many frames in a row come in their own time when nothing waits; a single one may be slow to decode."""


class StreamCapture:
    """A network stream as a live source reads it, from the newest frame on.

    What came while FFmpeg looked at the stream waits in a queue, a second or more. It is read and left out.
    """

    def __init__(self, video: Video) -> None:
        self.fps = video.rate
        self._video = video
        self._frames = video.frames()
        self._has_clock = video.container_name not in CLOCKLESS
        self._is_damaged = False
        self._is_newest = False

    def read(self) -> Reading | None:
        """See `Capture.read`; damaged frames are left out, which is warned of once a connection."""
        reading = self._next()
        if not self._is_newest:
            self._is_newest = True
            reading = self._newest(reading)
        return reading

    def _newest(self, reading: Reading | None) -> Reading | None:
        """A frame after `reading` that came in its own time, or the last one before the stream ends."""
        waited_for, left_s = 0, MOST_BACKLOG_S
        while reading and self._has_clock and waited_for < IN_TIME and left_s > 0:
            start = monotonic()
            following = self._next()
            if following is None:
                break
            # The first frames of RTSP have no stamp.
            since = UNKNOWN_S if reading.sent is None or following.sent is None else following.sent - reading.sent
            waited_for = waited_for + 1 if monotonic() - start > since / 2 else 0
            reading, left_s = following, left_s - since
        return reading

    def _next(self) -> Reading | None:
        stamp, frame = next(self._frames, (None, None))
        if self._video.damaged and not self._is_damaged:
            self._is_damaged = True
            text = "%s sends damaged frames, which are left out; check its network"
            _LOG.warning(text, self._video.name, extra={"source": self._video.name})
        if frame is None:
            return None
        sent = None if stamp is None or not self._has_clock else float(stamp * self._video.time_base)
        return Reading(upright(frame), sent)


def open_stream(
    url: str,
    reconnect: Reconnect | None = None,
    read_timeout_s: float = READ_TIMEOUT_S,
    decoder: HardwareDecoder | None = None,
) -> Source:
    """Open a stream, or a video that lies on a server (which has a length; every frame of it is read).

    It is decoded by `decoder` where that knows its codec.

    Raises SourceError where nothing answers with video, UsageError for another kind of URL.
    """
    name = stream_name(url)
    connect = partial(_connect, url, name, read_timeout_s, decoder)
    video = connect()
    tell_decoder(video, decoder)
    if video.stated_frames or video.stated_seconds:
        return VideoSource(video)
    return LiveSource(name, StreamCapture(video), lambda: StreamCapture(connect()), reconnect)


def stream_name(url: str) -> str:
    """What messages call a stream, see `redacted`; raises UsageError for another kind of URL."""
    name = redacted(url)
    if url.partition("://")[0].lower() not in STREAMS:
        raise UsageError(f"'{name}' is no stream; its URL must begin with one of {', '.join(STREAMS)}; {OTHERS}")
    return name


def redacted(url: str) -> str:
    """A URL without what may be a secret: user, password, query, and path parts such as 'user=admin_password=x'.

    Rather too much than too little: passwords with '/', '?', '#' or '@' in them, which should have been
    percent-encoded, are left out too.
    """
    scheme, _, rest = url.partition("://")
    _, at, place = rest.rpartition("@")
    place, query, _ = re.sub(r"[?#]", "?", place).partition("?")
    path = "/".join("***" if "=" in part else part for part in place.split("/"))
    return f"{scheme}://{'***@' if at else ''}{path}{'?***' if query else ''}"


def _connect(url: str, name: str, read_timeout_s: float, decoder: HardwareDecoder | None) -> Video:
    try:
        return Video(name, open_url(url, OPEN_TIMEOUT_S, read_timeout_s, decoder), at_once=True)
    except av.FFmpegError:  # its text has the URL in it, password and all
        raise SourceError(
            f"no video comes from {name}; check the address, the password and that the server runs"
        ) from None
