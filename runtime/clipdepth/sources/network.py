"""Network streams, read by OpenCV's FFmpeg."""

import re
from functools import partial

import cv2

from clipdepth.errors import SourceError, UsageError
from clipdepth.files.ffmpeg import STREAMS, open_url
from clipdepth.sources import Source
from clipdepth.sources.capture import Capture
from clipdepth.sources.live import LiveSource, Reconnect
from clipdepth.sources.video import VideoSource, stated

OPEN_TIMEOUT_MS = 10_000
READ_TIMEOUT_MS = 5_000


def open_stream(url: str, reconnect: Reconnect | None = None, read_timeout_ms: int = READ_TIMEOUT_MS) -> Source:
    """Open a stream, or a video that lies on a server (which has a length; every frame of it is read).

    Raises SourceError where nothing answers with video, UsageError for another kind of URL.
    """
    name = redacted(url)
    if url.partition("://")[0].lower() not in STREAMS:
        raise UsageError(f"'{name}' is no stream; its URL must begin with one of {', '.join(STREAMS)}")
    connect = partial(_connect, url, name, read_timeout_ms)
    capture = connect()
    if stated(capture.get(cv2.CAP_PROP_FRAME_COUNT)):
        return VideoSource(name, capture)
    return LiveSource(name, capture, connect, reconnect)


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


def _connect(url: str, name: str, read_timeout_ms: int) -> Capture:
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, read_timeout_ms]
    # FFmpeg's it is: OpenCV's other back ends have no time-outs, and one writes the URL, password and all, to stderr.
    capture = open_url(url, limits)
    if not capture.isOpened():
        raise SourceError(f"no video comes from {name}; check the address, the password and that the server runs")
    return capture
