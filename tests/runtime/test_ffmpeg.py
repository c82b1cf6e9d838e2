"""Files and servers that would have FFmpeg read other files, or listen: nothing of that happens, in run and archive."""

import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from clipdepth.cluster.archive.uri import open_uri
from clipdepth.cluster.archive.video import open_video
from clipdepth.errors import SourceError
from clipdepth.files.depth_file import read_depth
from clipdepth.files.ffmpeg import HEAD_BYTES
from clipdepth.sources import open_source
from clips import room_frames, write_clip
from live_servers import free_port, web_server

FRAMES = 24
SDP = (
    "o=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n{filler}c=IN IP4 127.0.0.1\r\n"
    "m=video {port} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
)
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n"


def count_by_run(spec: str) -> int:
    with open_source(spec) as source:
        return sum(1 for _ in source)


def count_by_archive(spec: str) -> int:
    with open_video(open_uri(spec)) as video:
        return sum(1 for _ in video.frames())


BOTH = pytest.mark.parametrize("count", [count_by_run, count_by_archive])


@contextmanager
def never(happens: Callable[[], bool], told: str) -> Iterator[None]:
    """Fails the test, with what is `told`, where something happens for longer than a moment."""
    seen, done = threading.Event(), threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            if happens():
                seen.set()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert not seen.is_set(), told


@contextmanager
def nobody_opens(fifo: Path) -> Iterator[None]:
    """A named pipe that fails the test where somebody opens it to read: only then can it be opened to write."""
    os.mkfifo(fifo)

    def is_read() -> bool:
        try:
            os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    with never(is_read, f"{fifo} was opened"):
        yield


@contextmanager
def nobody_listens(port: int) -> Iterator[None]:
    """Fails the test where a UDP port is bound for longer than a moment."""

    def is_bound() -> bool:
        lines = Path("/proc/net/udp").read_text().splitlines()[1:]
        return any(line.split()[1].endswith(f":{port:04X}") for line in lines)

    with never(is_bound, f"UDP port {port} was listened on"):
        yield


LISTS = {
    "playlist.mp4": (HLS, "an HLS playlist"),
    "playlist.m3u8": (HLS, "an HLS playlist"),
    "concat.mp4": ("ffconcat version 1.0\nfile {other}\n", "a list for FFmpeg's concat"),
    "dash.mp4": ('<?xml version="1.0"?>\n<MPD><BaseURL>{other}</BaseURL></MPD>\n', "a DASH manifest"),
}


@BOTH
@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_other_files_is_refused_and_none_of_them_opened(
    tmp_path: Path, name: str, count: Callable[[str], int]
) -> None:
    text, kind = LISTS[name]
    (tmp_path / name).write_text(text.format(other="other.ts"))
    with nobody_opens(tmp_path / "other.ts"), pytest.raises(SourceError) as refused:
        count(str(tmp_path / name))
    assert str(refused.value) == (
        f"{tmp_path / name} is {kind}, which names other files or addresses and holds no video; "
        "give the video itself, or the stream's URL"
    )


def test_depth_is_read_from_no_list(tmp_path: Path) -> None:
    (tmp_path / "v.mkv").write_text("ffconcat version 1.0\nfile other.mkv\n")
    with nobody_opens(tmp_path / "other.mkv"), pytest.raises(SourceError, match=r"v\.mkv is a list"):
        list(read_depth(tmp_path / "v.mkv"))


@BOTH
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("v=0\r\n" + SDP, r"v\.mp4 is a session description \(SDP\), which names"),
        (SDP, r"v\.mp4 is a session description \(SDP\), which names"),
        # Beyond what is looked at before FFmpeg opens it, which then refuses it itself.
        (SDP.replace("{filler}", "a=x\r\n" * HEAD_BYTES), r"v\.mp4 .*no video.*convert it"),
    ],
    ids=["whole", "without its version", "late"],
)
def test_a_session_description_opens_no_port(
    tmp_path: Path, text: str, reason: str, count: Callable[[str], int]
) -> None:
    port = free_port()
    (tmp_path / "v.mp4").write_text(text.format(port=port, filler=""))
    with nobody_listens(port), pytest.raises(SourceError, match=reason):
        count(str(tmp_path / "v.mp4"))


def with_external_track(clip: bytes, other: Path) -> bytes:
    """A QuickTime film, whose index comes last, with the pictures' bytes in another file: an alias of Mac OS."""
    path = str(other).encode()
    absolute = struct.pack(">hh", 2, len(path)) + path + b"\0" * (len(path) % 2)
    alias = bytes(150) + absolute + struct.pack(">hh", -1, 0)
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    place = clip.index(b"dref") + 12
    old = int.from_bytes(clip[place : place + 4], "big")
    changed = bytearray(clip[:place] + entry + clip[place + old :])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        start = changed.index(name) - 4
        size = int.from_bytes(changed[start : start + 4], "big")
        changed[start : start + 4] = (size + len(entry) - old).to_bytes(4, "big")
    return bytes(changed)


@BOTH
def test_a_film_with_its_pictures_in_another_file_has_none(tmp_path: Path, count: Callable[[str], int]) -> None:
    whole = write_clip(tmp_path / "whole.mov", room_frames(3, FRAMES))
    film = tmp_path / "v.mov"
    film.write_bytes(with_external_track(whole.read_bytes(), whole))
    with av.open(str(film), options={"enable_drefs": "1", "use_absolute_path": "1"}) as container:
        assert sum(1 for _ in container.decode(video=0)) == FRAMES
    film.write_bytes(with_external_track(whole.read_bytes(), tmp_path / "other.mov"))
    with nobody_opens(tmp_path / "other.mov"), pytest.raises(SourceError, match=r"v\.mov has no frame"):
        count(str(film))


GOOD = {
    **{f"v.{suffix}": "libx264" for suffix in ("mp4", "m4v", "mov", "mkv", "ts", "mts", "m2ts")},
    "v.webm": "libvpx",
    "v.avi": "mpeg4",
    "motion.avi": "mjpeg",
    "v.mpg": "mpeg2video",
    "v.mpeg": "mpeg1video",
    "v.wmv": "wmv2",
    "v.flv": "flv",
    "v.3gp": "mpeg4",
    "v.mjpeg": "mjpeg",
}


@BOTH
@pytest.mark.parametrize("name", GOOD)
def test_videos_are_opened_whatever_they_are_called(tmp_path: Path, name: str, count: Callable[[str], int]) -> None:
    clip = write_clip(tmp_path / name, room_frames(3, FRAMES), codec=GOOD[name], rate=Fraction(25))
    assert count(str(clip)) == FRAMES
    assert count(str(clip.rename(tmp_path / "v.bin"))) == FRAMES


@pytest.mark.parametrize(("name", "codec"), [("v.h264", "libx264"), ("v.m2v", "mpeg2video")])
def test_bare_video_is_opened(tmp_path: Path, name: str, codec: str) -> None:
    clip = write_clip(tmp_path / name, room_frames(3, FRAMES), codec=codec, rate=Fraction(25))
    assert count_by_run(str(clip)) == FRAMES


@pytest.mark.parametrize("name", ["concat:a|b", "udp:127.0.0.1", "subfile,,start,0,end,0,,:x"])
def test_a_name_that_looks_like_a_protocol_is_a_name(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clip(tmp_path / "v.mp4", room_frames(3, FRAMES)).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert count_by_run(name) == FRAMES


def test_hls_over_http_is_played(tmp_path: Path) -> None:
    write_clip(tmp_path / "part.ts", room_frames(3, FRAMES))
    (tmp_path / "live.m3u8").write_text(HLS.format(other="part.ts"))
    with web_server(tmp_path) as url:
        assert count_by_run(f"{url}/live.m3u8") == FRAMES


@pytest.mark.parametrize("text", [HLS, "ffconcat version 1.0\nfile {other}\n"], ids=["hls", "concat"])
def test_what_a_server_sends_opens_no_local_file(tmp_path: Path, text: str) -> None:
    other = tmp_path / "other.ts"
    (tmp_path / "live.m3u8").write_text(text.format(other=f"file://{other}"))
    with nobody_opens(other), web_server(tmp_path) as url, pytest.raises(SourceError, match="no video"):
        count_by_run(f"{url}/live.m3u8")


@pytest.mark.parametrize(
    "text", ["v=0\r\n" + SDP, HLS.replace("{other}", "udp://127.0.0.1:{port}/x.ts")], ids=["sdp", "hls"]
)
def test_what_a_server_sends_opens_no_port(tmp_path: Path, text: str) -> None:
    port = free_port()
    (tmp_path / "live.m3u8").write_text(text.format(port=port, filler=""))
    with nobody_listens(port), web_server(tmp_path) as url, pytest.raises(SourceError, match="no video"):
        count_by_run(f"{url}/live.m3u8")


@pytest.mark.parametrize("given", [None, "", "broken", "rtsp_transport;udp|protocol_whitelist;file,rtp,udp"])
def test_options_of_the_user_loosen_nothing_and_stay(
    tmp_path: Path, given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
    monkeypatch.delenv(variable, raising=False)
    if given is not None:
        monkeypatch.setenv(variable, given)
    write_clip(tmp_path / "v.mp4", room_frames(3, FRAMES))
    port = free_port()
    (tmp_path / "late.mp4").write_text(SDP.format(port=port, filler="a=x\r\n" * HEAD_BYTES))
    (tmp_path / "list.m3u8").write_text(HLS.format(other=f"udp://127.0.0.1:{port}/x.ts"))
    with web_server(tmp_path) as url, nobody_listens(port):
        for place in (str(tmp_path), url):
            assert count_by_run(f"{place}/v.mp4") == FRAMES
            with pytest.raises(SourceError, match="no video"):
                count_by_run(f"{place}/late.mp4")
        with pytest.raises(SourceError, match="no video"):
            count_by_run(f"{url}/list.m3u8")
    assert os.environ.get(variable) == given


PUSHER = """
import sys, time
import av

url, form, path = sys.argv[1:]

def push():
    with av.open(url, "w", format=form) as container, av.open(path) as clip:
        track = container.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(video=0):
            if packet.dts is None:
                return
            time.sleep(0.02)
            packet.stream = track
            container.mux(packet)

while True:
    try:
        push()
    except av.FFmpegError:
        time.sleep(0.1)
"""
"""Sends a video to an address, again and again until somebody takes it, and then until they leave."""


@contextmanager
def pusher(url: str, form: str, clip: Path) -> Iterator[None]:
    """In a process of its own: PyAV keeps Python's lock while it waits for an answer to the header."""
    process = subprocess.Popen([sys.executable, "-c", PUSHER, url, form, str(clip)])
    try:
        yield
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("scheme", "form", "listen"),
    [
        ("rtsp", "rtsp", "rtsp_flags;listen|listen_timeout;60|initial_timeout;60"),
        ("rtmp", "flv", "listen;1"),
        ("udp", "mpegts", "rtsp_flags;prefer_tcp"),
    ],
)
def test_streams_have_the_protocols_that_they_need(
    tmp_path: Path, scheme: str, form: str, listen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg listens, as the user asked it to, so that no server is needed."""
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", listen)
    clip = write_clip(tmp_path / "v.mp4", room_frames(3, 400), rate=Fraction(25), gop=5, options={"bf": "0"})
    url = f"{scheme}://127.0.0.1:{free_port()}" + ("/live/x" if scheme != "udp" else "")
    with pusher(url, form, clip), open_source(url) as source:
        frames = list(islice(source, 9))
    assert all(one.frame.shape == (48, 64, 3) for one in frames)
    # The stream's own times, 25 a second, while packets come twice as fast. RTP's first frame has none yet.
    assert np.diff([one.time for one in frames[1:]]) == pytest.approx([0.04] * 7, abs=1.1e-3)
