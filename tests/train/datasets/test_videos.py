"""Videos with depth videos: a film of OpenCV's and its depth, FFV1 of 16 bits, by PyAV."""

from fractions import Fraction
from pathlib import Path

import cv2
import pytest

from train.dataset_files import listed, picture, prepare, ramp, refused

av = pytest.importorskip("av")

WIDTH, HEIGHT, RATE, FRAMES = 64, 48, 10, 12


def write_film(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE, (WIDTH, HEIGHT))
    for index in range(FRAMES):
        film.write(picture(20 * index, WIDTH, HEIGHT)[..., ::-1])
    film.release()


def write_depth(path: Path, every: int = 1, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *size, "gray16le"
        stream.time_base = Fraction(1, 1000)
        for index in range(0, FRAMES, every):
            frame = av.VideoFrame.from_ndarray(ramp(1000 + 10 * index, *size), format="gray16le")
            frame.pts, frame.time_base = index * 1000 // RATE, Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def test_frames_and_depth_by_their_times(tmp_path: Path) -> None:
    write_film(tmp_path / "films" / "kitchen.mp4")
    write_depth(tmp_path / "films" / "kitchen.mp4.mkv", every=3)
    assert prepare("videos", tmp_path / "films", tmp_path / "out", "--focal-px", "60") == 0
    lines = [*listed(tmp_path / "out", "train"), *listed(tmp_path / "out", "test")]
    assert [line.rgb.name for line in lines] == [f"rgb_{index:06d}.jpg" for index in (0, 3, 6, 9)]
    for index, line in zip((0, 3, 6, 9), lines, strict=True):
        assert (line.units == ramp(1000 + 10 * index, WIDTH, HEIGHT)).all()
        assert line.colour[0] == pytest.approx(20 * index, abs=8)
        assert line.camera == (60, 60, 31.5, 23.5)


def test_depth_elsewhere_and_smaller_than_the_picture(tmp_path: Path) -> None:
    write_film(tmp_path / "films" / "a" / "kitchen.mp4")
    write_depth(tmp_path / "depth" / "a" / "kitchen.mp4.mkv", size=(32, 24))
    options = ("--depth", str(tmp_path / "depth"), "--focal-px", "60")
    assert prepare("videos", tmp_path / "films", tmp_path / "out", *options) == 0
    line = listed(tmp_path / "out", "train")[0]
    assert line.units.shape == (24, 32)
    assert line.camera == (30, 30, 15.5, 11.5)
    assert cv2.imread(str(line.rgb)).shape == (24, 32, 3)


def test_what_is_missing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_film(tmp_path / "kitchen.mp4")
    assert "no camera is known" in refused(capsys, "videos", tmp_path, tmp_path / "out")
    assert "no video in" in refused(capsys, "videos", tmp_path, tmp_path / "out", "--fov", "60")
    write_depth(tmp_path / "kitchen.mp4.mkv", size=(32, 32))
    assert "of another shape" in refused(capsys, "videos", tmp_path, tmp_path / "out", "--fov", "60")
