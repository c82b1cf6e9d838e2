"""`clipdepth.read_depth` against files that OpenCV and FFmpeg wrote."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import clipdepth
from clipdepth.errors import SourceError, UsageError

RNG = np.random.default_rng(0)


def some_depth(count: int) -> list[np.ndarray]:
    return [RNG.integers(0, 65536, (6, 10)).astype(np.uint16) for _ in range(count)]


def write_video(path: Path, pictures: list[np.ndarray], form: str, stamps: list[int]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(25))
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], form
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for stamp, picture in zip(stamps, pictures, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format=form)
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_a_png_gives_its_millimetres_in_metres(tmp_path: Path) -> None:
    depth = some_depth(1)[0]
    cv2.imwrite(str(tmp_path / "x.png"), depth)
    (stored,) = clipdepth.read_depth(tmp_path / "x.png")
    assert stored.time is None
    assert stored.depth.dtype == np.float32
    np.testing.assert_allclose(stored.depth, depth / 1000.0, rtol=1e-6)


def test_a_folder_gives_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    depths = some_depth(12)
    for number in reversed(range(12)):
        cv2.imwrite(str(tmp_path / f"{number:06d}.png"), depths[number])
    found = [np.rint(stored.depth * 1000) for stored in clipdepth.read_depth(str(tmp_path))]
    np.testing.assert_array_equal(found, depths)


def test_a_video_gives_each_frame_and_its_time_since_the_first(tmp_path: Path) -> None:
    depths = some_depth(5)
    write_video(tmp_path / "x.mkv", depths, "gray16le", [400, 433, 500, 1000, 4000])
    found = list(clipdepth.read_depth(tmp_path / "x.mkv"))
    np.testing.assert_array_equal([np.rint(stored.depth * 1000) for stored in found], depths)
    assert [stored.time for stored in found] == pytest.approx([0, 0.033, 0.1, 0.6, 3.6])


@pytest.mark.parametrize("name", ["x.mp4", "x", "x.jpg"])
def test_other_files_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"is no depth: give a 16-bit \.png"):
        clipdepth.read_depth(tmp_path / name)


@pytest.mark.parametrize("name", ["x.png", "x.mkv"])
@pytest.mark.parametrize("content", [None, b"", b"\x89PNG and no more"])
def test_what_is_missing_or_damaged_says_so(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=f"{name} is missing"):
        list(clipdepth.read_depth(tmp_path / name))


def test_eight_bits_are_no_depth(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "x.png"), np.full((4, 4), 200, np.uint8))
    write_video(tmp_path / "x.mkv", [np.full((16, 16), 200, np.uint8)], "gray", [0])
    for name in ("x.png", "x.mkv"):
        with pytest.raises(SourceError, match="has no 16-bit depth"):
            list(clipdepth.read_depth(tmp_path / name))


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"has no \.png files"):
        clipdepth.read_depth(tmp_path)
