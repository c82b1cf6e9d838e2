"""What FFmpeg may open, whatever a file or a server says of itself.

FFmpeg goes by content, not by names. A playlist or a session description that is called x.mp4 makes it read other
files, or listen on ports. So it gets a list of containers and of protocols each time, and refuses any other before it
reads on.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import av
from av.container import InputContainer

from clipdepth.errors import SourceError
from clipdepth.files.hwaccel import HardwareDecoder

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

_USERS_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
"""Where OpenCV looks for options, 'name;value|name;value'. Cameras were set up with it, so it is read here too."""
_DEFAULT_OPTIONS = "rtsp_flags;prefer_tcp"

_LISTS = {
    rb"#EXTM3U": "an HLS playlist",
    rb"ffconcat": "a list for FFmpeg's concat",
    rb"v=0|([^\0\n]*\n)*c=IN IP": "a session description (SDP)",
    rb"(<\?xml[^>]*>\s*)?<MPD\b": "a DASH manifest",
}


def open_file(path: Path, decoder: HardwareDecoder | None = None) -> InputContainer:
    """Open a local video, to be decoded by `decoder` where that knows its codec.

    Raises SourceError for a list of other files or addresses, av.FFmpegError for what is no video.
    """
    refuse_lists(str(path), _head(path))
    # A whole path: of a file called 'concat:a|b' or 'udp:x' FFmpeg would take the front as a protocol.
    hwaccel = decoder.hwaccel if decoder else None
    return av.open(str(path.absolute()), "r", container_options=FILE.options, hwaccel=hwaccel)


def open_handle(name: str, file: IO[bytes]) -> InputContainer:
    """Open a video that Python reads from `file`, as `open_file` opens one on disk."""
    file.seek(0)
    refuse_lists(name, file.read(HEAD_BYTES))
    file.seek(0)
    return av.open(file, "r", container_options=HANDLE.options)


def open_url(url: str, open_s: float, read_s: float, decoder: HardwareDecoder | None = None) -> InputContainer:
    """Open a stream whose scheme is in `STREAMS`; raises av.FFmpegError where no video comes from there.

    That takes `open_s` seconds at most. Later reads end with av.FFmpegError when nothing came for `read_s` seconds.
    """
    allowed = STREAMS[url.partition("://")[0].lower()]
    options = {**_users_options(), **allowed.options}
    hwaccel = decoder.hwaccel if decoder else None
    return av.open(url, "r", container_options=options, timeout=(open_s, read_s), hwaccel=hwaccel)


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


def _users_options() -> dict[str, str]:
    given = os.environ.get(_USERS_OPTIONS, _DEFAULT_OPTIONS)
    pairs = (pair.partition(";") for pair in given.split("|"))
    return {name: value for name, separator, value in pairs if name and separator}
