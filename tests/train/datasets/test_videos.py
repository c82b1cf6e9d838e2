"""Videos with depth videos: a film of OpenCV's and its depth, FFV1 of 16 bits, by PyAV."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from bundles import write_bundle
from camera_files import PLUMB_BOB, opencv_file
from clipdepth.bundle.kind import METRIC, DepthKind
from clipdepth.bundle.stored_file import stored_file
from clipdepth.cli import main
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


def calibrated(tmp_path: Path, *options: str, kind: DepthKind = METRIC) -> Path:
    """What `clipdepth calibrate` writes of a picture of the film's size."""
    bundle = write_bundle(tmp_path / "b.bundle", HEIGHT, WIDTH, kind=kind)
    shades = np.linspace(0, 255, WIDTH).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "desk.png"), np.broadcast_to(shades[None, :, None], (HEIGHT, WIDTH, 3)).copy())
    words = ["calibrate", str(bundle), "--source", str(tmp_path / "desk.png"), "--out", str(tmp_path / "desk.json")]
    points = ["--point", "10,24=1.5", "--point", "50,24=4"]
    assert main([*words, "--engine", "onnxruntime", "--along", "axis", *points, *options]) == 0
    return tmp_path / "desk.json"


def test_the_camera_of_a_file_of_clipdepth_calibrate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desk = calibrated(tmp_path, "--focal-px", "60")
    write_film(tmp_path / "films" / "kitchen.mp4")
    write_depth(tmp_path / "films" / "kitchen.mp4.mkv", every=3)
    assert prepare("videos", tmp_path / "films", tmp_path / "out", "--calibration", str(desk)) == 0
    assert {line.camera for line in listed(tmp_path / "out", "train")} == {(60, 60, 31.5, 23.5)}
    options = ("--calibration", str(desk), "--camera-id", "cam0")
    assert prepare("videos", tmp_path / "films", tmp_path / "other", *options) == 2
    assert "leave out --undistorted-fov and --camera-id" in capsys.readouterr().err
    unknown = calibrated(tmp_path, kind="relative")
    error = refused(capsys, "videos", tmp_path / "films", tmp_path / "other", "--calibration", str(unknown))
    assert "desk.json was measured with a camera that nobody knew" in error


def test_depth_of_an_archive_with_the_same_calibration_is_straight_already(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow")
    from clipdepth.cluster.archive.settings import Settings, write_settings
    from clipdepth.cluster.archive.uri import open_uri

    lens = opencv_file(tmp_path / "lens.yml", PLUMB_BOB)
    write_film(tmp_path / "films" / "kitchen.mp4")
    write_depth(tmp_path / "archive" / "depth" / "films" / "kitchen.mp4.mkv", every=3)
    options = ("--depth", str(tmp_path / "archive" / "depth" / "films"), "--calibration", str(lens))

    def units(out: str) -> np.ndarray:
        assert prepare("videos", tmp_path / "films", tmp_path / out, *options) == 0
        line = listed(tmp_path / out, "train")[0]
        assert line.camera[0] != 40.25  # the lens bends
        return line.units

    def made_with(**camera: object) -> None:
        settings = Settings("0" * 64, "onnxruntime", "fp32", "mkv", 1, 0.0, None, camera)
        write_settings(open_uri(str(tmp_path / "archive")), settings)

    stored = ramp(1000, WIDTH, HEIGHT)
    assert (units("plain") != stored).any()
    made_with(fov=60.0)
    assert (units("told") != stored).any()
    made_with(calibration=stored_file(lens).sha256)
    assert (units("straight") == stored).all()
    made_with(calibration="0" * 64)
    error = refused(capsys, "videos", tmp_path / "films", tmp_path / "out", *options)
    assert "archive.json was made with another --calibration" in error
    made_with(calibration=stored_file(lens).sha256, undistorted_fov=40.0)
    error = refused(capsys, "videos", tmp_path / "films", tmp_path / "out", *options)
    assert "another --undistorted-fov or --camera-id" in error
