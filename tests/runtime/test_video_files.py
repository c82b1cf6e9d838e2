"""Video files as real encoders write them: times, rotation, damage. The truth is what was written."""

import gc
import logging
import threading
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from clipdepth.errors import SourceError
from clipdepth.sources import Captured, open_source
from clipdepth.sources.clock import StreamClock
from clipdepth.sources.video import VideoSource
from clips import room_frames, write_clip

UNEVEN = [0, 1, 2, 5, 6, 20, 21, 40, 41, 42, 47, 99]
"""Of 12 frames, in ticks of 1/25 s."""
CODECS = {"x264": "libx264", "x265": "libx265", "mpeg2": "mpeg2video"}
CONTAINERS = {f"{name}.{suffix}": codec for name, codec in CODECS.items() for suffix in ("mp4", "mkv", "ts")}
OPTIONS = {"libx265": {"x265-params": "log-level=none", "preset": "ultrafast"}, "mpeg2video": {"bf": "2"}}
"""Of codecs: those of H.264 and H.265 reorder frames unless they are told not to, and MPEG-2's does not."""
SOUND = {"mp4": "aac", "mkv": "aac", "ts": "aac", "avi": "pcm_s16le"}


def read(path: Path) -> list[Captured]:
    with open_source(str(path)) as source:
        return list(source)


def matches(found: NDArray[np.uint8], truth: NDArray[np.uint8]) -> bool:
    return found.shape == truth.shape and float(np.abs(found.astype(int) - truth).mean()) < 12


def clip(
    path: Path,
    codec: str = "libx264",
    stamps: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
    **written: Any,
) -> list[NDArray[np.uint8]]:
    """Write twelve frames with B-frames in between where the codec has them; returns them."""
    frames = room_frames(5, len(UNEVEN), 96, 128)
    options = OPTIONS.get(codec, {}) if options is None else options
    write_clip(path, frames, codec=codec, rate=Fraction(25), stamps=stamps, options=options, **written)
    return frames


def has_b_frames(path: Path) -> bool:
    """Whether frames are kept in another order than they are shown in, by their kinds."""
    with av.open(str(path)) as container:
        return any(frame.pict_type == av.video.frame.PictureType.B for frame in container.decode(video=0))


def assert_kept(found: list[Captured], frames: list[NDArray[np.uint8]], stamps: Sequence[int]) -> None:
    """Each frame is there with its time, to a microsecond."""
    assert [one.index for one in found] == list(range(len(frames)))
    assert [one.time for one in found] == pytest.approx([stamp / 25 for stamp in stamps], abs=1e-6)
    assert all(matches(one.frame, frame) for one, frame in zip(found, frames, strict=True))


@pytest.mark.parametrize("name", [*CONTAINERS, "vp9.webm"])
def test_each_frame_has_the_time_it_was_written_with(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    codec = CONTAINERS.get(name, "libvpx-vp9")
    frames = clip(tmp_path / name, codec, UNEVEN)
    assert has_b_frames(tmp_path / name) == (codec != "libvpx-vp9")
    assert_kept(read(tmp_path / name), frames, UNEVEN)
    assert not caplog.records


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video", "mpeg4", "mjpeg"])
def test_an_avi_with_and_without_b_frames_is_in_order(tmp_path: Path, codec: str) -> None:
    frames = clip(tmp_path / "v.avi", codec)
    assert has_b_frames(tmp_path / "v.avi") == (codec in ("libx264", "mpeg2video"))
    assert_kept(read(tmp_path / "v.avi"), frames, range(12))


@pytest.mark.parametrize(("codec", "options"), [("libx264", {"bf": "0"}), ("mpeg4", {}), ("mjpeg", {})])
def test_an_avi_of_variable_rate_keeps_its_times(
    tmp_path: Path, codec: str, options: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Without B-frames: with them it has the times of decoding alone, and those of showing are lost."""
    frames = clip(tmp_path / "v.avi", codec, UNEVEN, options)
    assert_kept(read(tmp_path / "v.avi"), frames, UNEVEN)
    assert not caplog.records  # It states the places of frames that it leaves out among its own.


def test_no_avi_of_h265_is_written_here(tmp_path: Path) -> None:
    """AVI has no code for it that FFmpeg would write; one that does has to come into the tests above."""
    with pytest.raises(ValueError, match="'avi' format does not support 'libx265'"):
        clip(tmp_path / "v.avi", "libx265")


@pytest.mark.parametrize(("name", "codec"), [("v.h264", "libx264"), ("v.m2v", "mpeg2video")])
def test_bare_video_has_the_times_of_its_rate(tmp_path: Path, name: str, codec: str) -> None:
    frames = clip(tmp_path / name, codec)
    with open_source(str(tmp_path / name)) as source:
        assert source.frame_count is None
        found = list(source)
    assert [one.time for one in found] == pytest.approx([number / 25 for number in range(12)], abs=1e-6)
    assert all(matches(one.frame, frame) for one, frame in zip(found, frames, strict=True))


def test_rate_and_length_are_what_the_container_knows(tmp_path: Path) -> None:
    clip(tmp_path / "v.ts")
    with open_source(str(tmp_path / "v.ts")) as source:
        assert (source.fps, source.frame_count, source.timed) == (25, 12, True)
    clip(tmp_path / "v.mp4", stamps=UNEVEN)
    with open_source(str(tmp_path / "v.mp4")) as source:
        assert source.frame_count == 12


def with_matrix(path: Path, quarter_turns: int) -> None:
    """Rewrite the display matrix in an MP4's track header (ISO/IEC 14496-12, 8.3.2), as phones do that are turned."""
    a, b, c, d = {0: (1, 0, 0, 1), 1: (0, 1, -1, 0), 2: (-1, 0, 0, -1), 3: (0, -1, 1, 0)}[quarter_turns]
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40
    values = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    data[start : start + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in values)
    path.write_bytes(data)


@pytest.mark.parametrize("quarter_turns", range(4))
def test_a_phones_video_stands_upright(tmp_path: Path, quarter_turns: int) -> None:
    """A matrix of a quarter turn has players turn the picture clockwise."""
    frames = clip(tmp_path / "v.mp4")
    with_matrix(tmp_path / "v.mp4", quarter_turns)
    for one, frame in zip(read(tmp_path / "v.mp4"), frames, strict=True):
        assert matches(one.frame, np.rot90(frame, -quarter_turns))


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
@pytest.mark.parametrize("codec", CODECS.values())
def test_a_container_that_tells_a_turn_is_believed_whatever_the_codec(tmp_path: Path, name: str, codec: str) -> None:
    """By FFmpeg's own hand, anticlockwise. TS and AVI have no place for it."""
    frames = clip(tmp_path / name, codec, turned=90)
    assert_kept(read(tmp_path / name), [np.rot90(frame) for frame in frames], range(12))


def test_damaged_frames_are_left_out_counted_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frames = room_frames(5, 48, 240, 320)
    path = write_clip(tmp_path / "v.mp4", frames, rate=Fraction(25), gop=6, options={"bf": "0"})
    data = bytearray(path.read_bytes())
    for at in (len(data) // 3, len(data) // 2):
        data[at : at + 300] = np.random.default_rng(0).integers(0, 256, 300, dtype=np.uint8).tobytes()
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING), open_source(str(path)) as source:
        found = list(source)
        assert source.losses == 48 - len(found) > 0
    (record,) = caplog.records
    assert "v.mp4 has damaged frames, the first about" in record.getMessage()
    times = [one.time for one in found]
    assert set(np.round(np.multiply(times, 25)).astype(int)) < set(range(48))
    assert times[-1] == pytest.approx(47 / 25)


@pytest.mark.parametrize("name", ["v.mkv", "v.ts"])
def test_a_video_cut_short_without_an_index_is_read_to_the_cut(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_clip(tmp_path / name, room_frames(5, 200), rate=Fraction(25))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with caplog.at_level(logging.WARNING):
        assert 80 < len(read(path)) < 160
    # A transport stream says nowhere how long it is.
    assert [f"{name} ended after" in record.getMessage() for record in caplog.records] == [True] * (name == "v.mkv")


@pytest.mark.parametrize(
    ("name", "codec"), [("v.avi", "libx264"), ("v.avi", "mpeg2video"), ("v.mkv", "mpeg2video"), ("v.ts", "libx265")]
)
def test_what_is_left_of_other_codecs_has_its_times(
    tmp_path: Path, name: str, codec: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A frame that is cut through may be left out as damaged, and B-frames before the last one may be missing."""
    frames = room_frames(5, 60, 96, 128)
    path = write_clip(tmp_path / name, frames, codec=codec, rate=Fraction(25), options=OPTIONS.get(codec))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    with caplog.at_level(logging.WARNING):
        found = read(path)
    assert 10 < len(found) < 50
    *places, last = (round(one.time * 25) for one in found)
    assert places == list(range(len(places)))
    assert len(places) <= last < len(places) + 4
    assert_kept(found, [frames[place] for place in [*places, last]], [*places, last])
    said = [record.getMessage() for record in caplog.records if "damaged frames, the first about" not in record.msg]
    # Matroska tells its length in seconds, and less than one is missing here.
    assert [f"{name} ended after" in text for text in said] == [True] * (name == "v.avi")


@pytest.mark.parametrize(("suffix", "codec"), SOUND.items())
def test_sound_alone_is_no_video_and_beside_pictures_it_is_nothing(
    tmp_path: Path, suffix: str, codec: str, caplog: pytest.LogCaptureFixture
) -> None:
    for name, with_pictures in ((f"sound.{suffix}", False), (f"both.{suffix}", True)):
        with av.open(str(tmp_path / name), "w") as container:
            sound = container.add_stream(codec, rate=48_000)
            if with_pictures:
                pictures = container.add_stream("libx264", rate=25)
                pictures.height, pictures.width, pictures.pix_fmt = 48, 64, "yuv420p"
            silence, form = np.zeros((1, 1024), np.float32), "fltp"
            if codec == "pcm_s16le":
                silence, form = silence.astype(np.int16), "s16"
            # Only MP4 tells how long the pictures are. Of others a second without them is no cut.
            for number in range(94 if suffix == "mp4" else 47):
                frame = av.AudioFrame.from_ndarray(silence, format=form, layout="mono")
                frame.sample_rate, frame.pts = 48_000, number * 1024
                container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
            for picture in room_frames(1, 5) if with_pictures else ():
                container.mux(pictures.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            if with_pictures:
                container.mux(pictures.encode(None))
    with pytest.raises(SourceError, match=rf"sound\.{suffix} has no frame: none of its 1 tracks is a video"):
        open_source(str(tmp_path / f"sound.{suffix}"))
    assert [one.time for one in read(tmp_path / f"both.{suffix}")] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    assert not caplog.records


def test_a_video_is_closed_from_another_thread_and_lets_go_of_its_file(tmp_path: Path) -> None:
    write_clip(tmp_path / "v.mp4", room_frames(1, 200))
    gc.disable()
    try:
        source = open_source(str(tmp_path / "v.mp4"))
        assert isinstance(source, VideoSource)
        seen: list[Captured] = []
        for captured in source:
            seen.append(captured)
            if captured.index == 20:
                thread = threading.Thread(target=source.close)
                thread.start()
                thread.join()
        assert len(seen) == 21
        del source
        opened = [link.resolve() for link in Path("/proc/self/fd").iterdir()]
        assert tmp_path / "v.mp4" not in opened
    finally:
        gc.enable()


def test_a_stream_keeps_its_senders_times_through_bursts() -> None:
    """Frames are taken 0.1 s apart, and arrive together every second."""
    clock = StreamClock()
    times = [clock.time(1000 + number // 10, 7 + number / 10) for number in range(100)]
    assert np.diff(times) == pytest.approx([0.1] * 99, abs=1e-3)


def test_a_senders_clock_that_jumps_or_goes_wrong_is_not_believed() -> None:
    clock = StreamClock()
    arrivals = np.arange(0, 3600, 0.1)
    # A hundredth too fast; set back by an hour after 600 s; a frame without a stamp now and then.
    stamps = [arrival * 1.01 - 3600 * (arrival > 600) for arrival in arrivals]
    times = np.array(
        [
            clock.time(arrival, None if number % 50 == 7 else stamp)
            for number, (arrival, stamp) in enumerate(zip(arrivals, stamps, strict=True))
        ]
    )
    assert np.all(np.diff(times) >= 0)
    assert np.abs(times - arrivals).max() < 5.2


def test_after_a_loss_time_goes_on() -> None:
    clock = StreamClock()
    assert clock.time(100, 5000) == 100
    assert clock.time(100.1, 5000.1) == pytest.approx(100.1)
    clock.restart()
    assert clock.time(107, 3) == 107
