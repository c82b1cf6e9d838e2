"""What FFmpeg may open, whatever a file or a server says of itself.

FFmpeg goes by content, not by names. A playlist or a session description that is called x.mp4 makes it read other
files, or listen on ports. So it gets a list of containers and of protocols each time, and refuses any other before it
reads on.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import cv2

from clipdepth.errors import SourceError

CONTAINERS = (
    *("mov", "matroska", "avi", "mpegts", "mpeg", "asf", "flv", "ogg"),
    *("mjpeg", "mpegvideo", "m4v", "h264", "hevc", "gif"),
)
"""Containers and bare video, none of which leads to other files.

By FFmpeg's names: mov is MP4 too, matroska is WebM, mpegts is .ts, asf is WMV.
"""

HEAD_BYTES = 4096
"""How much of a file's start `refuse_lists` wants to see."""


@dataclass(frozen=True)
class Allowed:
    """What FFmpeg may use for a source and for all that the source names, by FFmpeg's names."""

    formats: tuple[str, ...]
    """Containers, and kinds of streams."""
    protocols: tuple[str, ...]

    @property
    def options(self) -> dict[str, str]:
        """The options that tell FFmpeg so."""
        return {"format_whitelist": ",".join(self.formats), "protocol_whitelist": ",".join(self.protocols)}


FILE = Allowed(CONTAINERS, ("file",))
HANDLE = Allowed(CONTAINERS, ("none",))
"""For a file that Python reads: FFmpeg itself opens nothing."""

_BARE = (*CONTAINERS, "live_flv", "mpjpeg")
_PLAYED_BY_HLS = ("aac", "ac3", "eac3", "mp3", "webvtt")
_WEB = Allowed(
    (*_BARE, "jpeg_pipe", "hls", *_PLAYED_BY_HLS),
    ("http", "https", "httpproxy", "tcp", "tls", "crypto", "data"),
)
_RTSP = Allowed(("rtsp",), ("rtp", "udp", "tcp", "tls", "http", "https"))
_RTMP = ("flv", "live_flv")
STREAMS = {
    "rtsp": _RTSP,
    "rtsps": _RTSP,
    "rtmp": Allowed(_RTMP, ("rtmp", "tcp")),
    "rtmps": Allowed(_RTMP, ("rtmps", "tls", "tcp")),
    "http": _WEB,
    "https": _WEB,
    "udp": Allowed(_BARE, ("udp",)),
    "tcp": Allowed(_BARE, ("tcp",)),
    "rtp": Allowed(("rtp",), ("rtp", "udp")),
    "srt": Allowed(_BARE, ("srt",)),
}
"""By the scheme of a stream's URL. UDP only where the user's URL asks for it; a playlist only over HTTP."""

_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_OPENCV_DEFAULT = "rtsp_flags;prefer_tcp"
_LOCK = Lock()

_LISTS = {
    rb"#EXTM3U": "an HLS playlist",
    rb"ffconcat": "a list for FFmpeg's concat",
    rb"v=0|([^\0\n]*\n)*c=IN IP": "a session description (SDP)",
    rb"(<\?xml[^>]*>\s*)?<MPD\b": "a DASH manifest",
}


def open_file(path: Path, parameters: Sequence[int] = ()) -> cv2.VideoCapture:
    """Open a local video by OpenCV's FFmpeg; whether that worked the capture tells.

    `parameters` are OpenCV's, each with its value. Raises SourceError for a list of other files or addresses.
    """
    refuse_lists(str(path), _head(path))
    # A whole path: of a file called 'concat:a|b' or 'udp:x' FFmpeg would take the front as a protocol.
    return _capture(str(path.absolute()), FILE, parameters)


def open_url(url: str, parameters: Sequence[int] = ()) -> cv2.VideoCapture:
    """Open a stream, whose scheme is in `STREAMS`, as `open_file` opens a file."""
    return _capture(url, STREAMS[url.partition("://")[0].lower()], parameters)


def refuse_lists(name: str, head: bytes) -> None:
    """Raise SourceError for a file that begins as a list of other files or addresses does, and so holds no video."""
    for pattern, kind in _LISTS.items():
        if re.match(pattern, head.removeprefix(b"\xef\xbb\xbf").lstrip()):
            raise SourceError(
                f"{name} is {kind}, which names other files or addresses and holds no video; "
                "give the video itself, or the stream's URL"
            )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:  # FFmpeg will not be able to read it either
        return b""


def _capture(url: str, allowed: Allowed, parameters: Sequence[int]) -> cv2.VideoCapture:
    # By FFmpeg alone: OpenCV's other back ends have no such lists.
    with _capture_options(allowed.options):
        return cv2.VideoCapture(url, cv2.CAP_FFMPEG, list(parameters))


@contextmanager
def _capture_options(options: dict[str, str]) -> Iterator[None]:
    """Give OpenCV's FFmpeg options; it takes them from the environment, each time it opens something.

    The user's own stay, apart from these. Ours come first, since FFmpeg reads no further than to what it cannot parse.
    """
    with _LOCK:
        given = os.environ.get(_OPTIONS)
        pairs = (_OPENCV_DEFAULT if given is None else given).split("|")
        ours = [f"{name};{value}" for name, value in options.items()]
        os.environ[_OPTIONS] = "|".join([*ours, *(pair for pair in pairs if pair.partition(";")[0] not in options)])
        try:
            yield
        finally:
            if given is None:
                del os.environ[_OPTIONS]
            else:
                os.environ[_OPTIONS] = given
