"""Network streams, and videos that lie on a server."""

import logging
import re
from functools import partial

import av

from clipdepth.errors import SourceError, UsageError
from clipdepth.files.ffmpeg import STREAMS, open_url
from clipdepth.files.video import Video, upright
from clipdepth.sources import Source
from clipdepth.sources.capture import Reading
from clipdepth.sources.live import LiveSource, Reconnect
from clipdepth.sources.video import VideoSource

_LOG = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 5.0
OTHERS = (
    "other cameras are csi://0, libcamera://, realsense:// or 'gst: PIPELINE', "
    "and 'clipdepth cameras' lists what is here"
)
CLOCKLESS = ("mjpeg", "mpjpeg", "jpeg_pipe", "mpegvideo", "m4v", "h264", "hevc")
"""Streams of bare pictures, by FFmpeg's names. Their stamps count frames, whenever those were taken."""


class StreamCapture:
    """A network stream as a live source reads it."""

    def __init__(self, video: Video) -> None:
        self.fps = video.rate
        self._video = video
        self._frames = video.frames()
        self._has_clock = video.container_name not in CLOCKLESS
        self._is_damaged = False

    def read(self) -> Reading | None:
        """See `Capture.read`; damaged frames are left out, which is warned of once a connection."""
        stamp, frame = next(self._frames, (None, None))
        if self._video.damaged and not self._is_damaged:
            self._is_damaged = True
            text = "%s sends damaged frames, which are left out; check its network"
            _LOG.warning(text, self._video.name, extra={"source": self._video.name})
        if frame is None:
            return None
        sent = None if stamp is None or not self._has_clock else float(stamp * self._video.time_base)
        return Reading(upright(frame), sent)


def open_stream(url: str, reconnect: Reconnect | None = None, read_timeout_s: float = READ_TIMEOUT_S) -> Source:
    """Open a stream, or a video that lies on a server (which has a length; every frame of it is read).

    Raises SourceError where nothing answers with video, UsageError for another kind of URL.
    """
    name = stream_name(url)
    connect = partial(_connect, url, name, read_timeout_s)
    video = connect()
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


def _connect(url: str, name: str, read_timeout_s: float) -> Video:
    try:
        return Video(name, open_url(url, OPEN_TIMEOUT_S, read_timeout_s), at_once=True)
    except av.FFmpegError:  # its text has the URL in it, password and all
        raise SourceError(
            f"no video comes from {name}; check the address, the password and that the server runs"
        ) from None
