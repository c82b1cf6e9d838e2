"""`clipdepth calibrate --checkerboard` on boards that are drawn through known lenses."""

import os
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import count
from pathlib import Path
from threading import Event
from time import sleep
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from checkerboards import DrawnCamera, views
from clipdepth.camera.board_views import BoardViews, Verdict
from clipdepth.camera.camera import Camera
from clipdepth.camera.checkerboard import Checkerboard, checkerboard
from clipdepth.camera.files.content import read_content
from clipdepth.camera.files.kinds import read_cameras
from clipdepth.camera.sized import SizedCamera
from clipdepth.cli import main
from clipdepth.sources.frames import FramesSource
from clips import write_clip

PINHOLE = DrawnCamera(640, 480, 520.0, 515.0, 325.0, 236.0, (-0.25, 0.07, 0.001, -0.002, 0.0))
FISHEYE = DrawnCamera(640, 480, 210.0, 212.0, 322.0, 238.0, (0.02, -0.01, 0.003, -0.0005), fisheye=True)
BOARD = ("--checkerboard", "8x5@0.03")


def only_camera(path: Path) -> SizedCamera:
    (camera,) = read_cameras(read_content(path)).values()
    return camera


@pytest.fixture(scope="module")
def pinhole_views() -> list[NDArray[np.uint8]]:
    return views(PINHOLE)


def write(folder: Path, pictures: list[NDArray[np.uint8]]) -> Path:
    folder.mkdir()
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    return folder


def calibrate(source: Path, out: Path, *options: object) -> int:
    return main(["calibrate", *BOARD, "--source", str(source), "--out", str(out), *map(str, options)])


def stored(path: Path, name: str) -> Any:
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
    node = storage.getNode(name)
    return node.mat() if node.isMap() else node.string() if node.isString() else node.real()


def test_the_camera_that_drew_the_views_comes_back(
    pinhole_views: list[NDArray[np.uint8]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = write(tmp_path / "views", pinhole_views), tmp_path / "c.yml"
    assert calibrate(folder, out) == 0
    camera = only_camera(out)
    found = camera.intrinsics
    assert (found.fx, found.fy) == pytest.approx((520, 515), rel=2e-3)
    assert (found.cx, found.cy) == pytest.approx((325, 236), abs=1)
    assert (found.width, found.height) == (640, 480)
    assert camera.distortion[:4] == pytest.approx(PINHOLE.lens[:4], abs=0.01)
    # Where it matters: straight rays land on the pixels where the true lens puts them.
    rays = np.array([[x, y, 1] for x in (-0.5, -0.2, 0.3, 0.5) for y in (-0.4, 0.0, 0.35)])
    nought, truth = np.zeros(3), np.array([[520, 0, 325], [0, 515, 236], [0, 0, 1]], float)
    there, _ = cv2.projectPoints(rays, nought, nought, found.matrix, camera.coefficients)
    here, _ = cv2.projectPoints(rays, nought, nought, truth, np.array(PINHOLE.lens))
    assert np.abs(there - here).max() < 0.5
    assert stored(out, "distortion_model") == "plumb_bob"
    assert stored(out, "avg_reprojection_error") < 0.15
    assert stored(out, "square_size") == 0.03
    printed = capsys.readouterr().out
    assert "reprojection error 0.0" in printed
    assert str(out) in printed
    # And it is what --calibration takes.
    assert Camera(calibration=out).calibration == out


def test_a_fisheye_comes_back_and_is_marked_as_one(tmp_path: Path) -> None:
    folder, out = write(tmp_path / "views", views(FISHEYE, far=0.5)), tmp_path / "c.yml"
    assert calibrate(folder, out, "--fisheye") == 0
    matrix, lens = stored(out, "camera_matrix"), stored(out, "distortion_coefficients")
    assert (matrix[0, 0], matrix[1, 1]) == pytest.approx((210, 212), rel=5e-3)
    assert (matrix[0, 2], matrix[1, 2]) == pytest.approx((322, 238), abs=1)
    assert (stored(out, "distortion_model"), stored(out, "fisheye_model")) == ("fisheye", 1)
    # Kannala and Brandt: the radius of a ray at an angle from the axis, up to 60°.
    for angle in np.radians([10, 30, 50, 60]):
        powers = np.array([angle**3, angle**5, angle**7, angle**9])
        assert matrix[0, 0] * (angle + powers @ lens.ravel()) == pytest.approx(
            210 * (angle + powers @ np.array(FISHEYE.lens)), abs=0.6
        )


def test_a_fisheye_is_refused_as_a_pinhole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = write(tmp_path / "views", views(FISHEYE, far=0.5)), tmp_path / "c.yml"
    assert calibrate(folder, out) == 1
    err = capsys.readouterr().err
    assert "--fisheye" in err
    assert err.count("\n") == 1
    assert not out.exists()


def test_views_without_a_tilt_leave_the_focal_length_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    straight = DrawnCamera(640, 480, 520.0, 520.0, 319.5, 239.5, (0.0,) * 5)
    folder, out = write(tmp_path / "views", views(straight, tilt=0)), tmp_path / "c.yml"
    assert calibrate(folder, out) == 1
    err = capsys.readouterr().err
    assert "tilt the board" in err
    assert err.count("\n") == 1
    assert not out.exists()


def test_views_that_no_one_camera_took_are_refused(
    pinhole_views: list[NDArray[np.uint8]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Every other picture is zoomed in by a quarter and stretched.
    zoomed = cv2.getRotationMatrix2D((320, 240), 0, 1.0) @ np.diag([0.8, 1.1, 1])
    pictures = [
        cv2.warpAffine(picture, zoomed, (640, 480)) if number % 2 else picture
        for number, picture in enumerate(pinhole_views)
    ]
    folder, out = write(tmp_path / "views", [np.asarray(picture, np.uint8) for picture in pictures]), tmp_path / "c.yml"
    assert calibrate(folder, out) == 1
    err = capsys.readouterr().err
    assert "reprojection error" in err
    assert err.count("\n") == 1
    assert not out.exists()


def test_one_view_that_does_not_fit_in_is_left_out(
    pinhole_views: list[NDArray[np.uint8]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stretched = cv2.warpAffine(pinhole_views[13], np.float32([[0.8, 0, 70], [0, 1.1, -20]]), (640, 480))
    folder, out = write(tmp_path / "views", [*pinhole_views, np.asarray(stretched, np.uint8)]), tmp_path / "c.yml"
    assert calibrate(folder, out) == 0
    assert "left out" in capsys.readouterr().out
    assert only_camera(out).intrinsics.fx == pytest.approx(520, rel=2e-3)


def test_a_video_counts_views_that_are_held_still_and_ends_by_itself(
    pinhole_views: list[NDArray[np.uint8]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = [picture for picture in pinhole_views for _ in range(2)]
    rest = [np.zeros((480, 640, 3), np.uint8)] * 5
    # Views that are seen once each: in motion.
    film = write_clip(tmp_path / "v.mp4", [*pinhole_views[:3], *held, *rest], rate=Fraction(10), options={"crf": "8"})
    assert calibrate(film, tmp_path / "c.yml") == 0
    assert "20 views" in capsys.readouterr().out
    assert only_camera(tmp_path / "c.yml").intrinsics.fx == pytest.approx(520, rel=0.01)


def test_too_few_views_say_what_columns_and_rows_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "views", [np.zeros((48, 64, 3), np.uint8)] * 3)
    assert calibrate(folder, tmp_path / "c.yml") == 1
    err = capsys.readouterr().err
    assert "0 different views of a 8x5 board" in err
    assert "one less than squares" in err
    assert err.count("\n") == 1


def test_pictures_of_several_sizes_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path / "views", [np.zeros((48, 64, 3), np.uint8), np.zeros((64, 48, 3), np.uint8)])
    assert calibrate(folder, tmp_path / "c.yml") == 1
    assert "64×48 and of 48×64" in capsys.readouterr().err


MISUSE = {
    "no board": ("--checkerboard", "big"),
    "one row": ("--checkerboard", "9x1"),
    "no square": ("--checkerboard", "9x6@0"),
    "points too": (*BOARD, "--point", "3,4=1"),
    "a bundle too": (*BOARD, "edge-nyu"),
    "a webcam's size": (*BOARD, "--width", "640"),
    "another file": (*BOARD, "--out", "c.json"),
}


@pytest.mark.parametrize("words", MISUSE.values(), ids=MISUSE.keys())
def test_misuse_is_one_line(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", "--source", "rooms", "--out", "c.yml", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_help_has_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", "--help"]) == 0
    out = capsys.readouterr().out
    assert out.count("usage: clipdepth calibrate") == 2
    assert "--point X,Y=METRES" in out
    assert "--checkerboard COLSxROWS[@SQUARE]" in out


def test_boards_are_read_as_they_are_written() -> None:
    assert checkerboard("9x6") == Checkerboard(9, 6)
    assert checkerboard("9x6@0.025") == Checkerboard(9, 6, 0.025)
    points = checkerboard("3x4@0.5").points
    assert points.shape == (12, 3)
    assert points[:4].tolist() == [[0, 0, 0], [0.5, 0, 0], [1, 0, 0], [0, 0.5, 0]]


def corners(x: float, y: float) -> NDArray[np.float64]:
    return np.array([[x + 20 * column, y + 20 * row] for row in range(3) for column in range(4)])


def test_views_count_once_the_board_is_still_and_elsewhere() -> None:
    seen = BoardViews(640, 480, moving=True)
    offered = [corners(100, 100), corners(101, 100), corners(101, 101), None, corners(300, 200), corners(300, 201)]
    told = [seen.offer(one) for one in offered]
    still, known, nothing = Verdict.KEPT, Verdict.KNOWN, Verdict.NOT_SEEN
    assert told == [Verdict.MOVING, still, known, nothing, Verdict.MOVING, still]
    assert seen.covered.shape == (4, 6)
    # x from 101 to 161 and y from 100 to 141, in the picture's sixths and fourths.
    assert seen.covered[:2, :2].tolist() == [[True, True], [True, True]]
    assert not seen.covered[3].any()
    assert not seen.is_enough


def test_a_view_from_the_boards_other_end_is_no_other_view() -> None:
    seen = BoardViews(640, 480, moving=False)
    assert seen.offer(corners(100, 100)) is Verdict.KEPT
    assert seen.offer(corners(100, 100)[::-1]) is Verdict.KNOWN


def test_a_live_source_ends_by_itself_and_lets_go(
    pinhole_views: list[NDArray[np.uint8]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = [np.asarray(cv2.resize(one, (320, 240), interpolation=cv2.INTER_AREA), np.uint8) for one in pinhole_views]
    ended = Event()

    def held() -> Iterator[NDArray[np.uint8]]:
        try:
            for number in count():
                sleep(0.01)
                yield small[number // 30 % len(small)]
        finally:
            ended.set()

    frames = held()
    monkeypatch.setattr("clipdepth.cli.calibrate_lens.open_source", lambda *_: FramesSource(frames, live=True))
    assert calibrate(Path("0"), tmp_path / "c.yml", "--no-show") == 0
    frames.close()
    assert ended.is_set()
    assert only_camera(tmp_path / "c.yml").intrinsics.fx == pytest.approx(260, rel=0.01)


def test_without_a_display_one_line_says_what_to_do(tmp_path: Path) -> None:
    folder = write(tmp_path / "views", [np.zeros((48, 64, 3), np.uint8)])
    command = [
        sys.executable,
        "-m",
        "clipdepth",
        "calibrate",
        *BOARD,
        "--source",
        str(folder),
        "--out",
        "c.yml",
        "--show",
    ]
    environment = {**os.environ, "DISPLAY": ":9999"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    assert "--no-show" in done.stderr
    assert done.stderr.count("\n") == 1
