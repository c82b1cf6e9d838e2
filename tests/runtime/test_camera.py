"""Cameras against OpenCV's own arithmetic, trigonometry, and files that OpenCV writes."""

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from clipdepth.camera.camera import Camera
from clipdepth.camera.files.content import read_content
from clipdepth.camera.files.kinds import read_cameras
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.sized import SizedCamera, camera_from_fov
from clipdepth.errors import SourceError, UsageError


def read_camera(path: Path) -> SizedCamera:
    """The one camera of a file."""
    (camera,) = read_cameras(read_content(path)).values()
    return camera


PINHOLE = Intrinsics(640, 480, 500.0, 510.0, 322.0, 236.0)


def write_opencv(path: Path, **changed: Any) -> Path:
    """A camera file by cv2.FileStorage; a field that is None is left out."""
    fields: dict[str, Any] = {
        "image_width": 640,
        "image_height": 480,
        "camera_matrix": PINHOLE.matrix,
        "distortion_coefficients": np.array([[-0.25, 0.07, 0.001, -0.002, 0.01]]),
    }
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for name, value in {**fields, **changed}.items():
        if value is not None:
            storage.write(name, value)
    storage.release()
    return path


def test_field_of_view_is_opencvs() -> None:
    camera = camera_from_fov(70, 1280, 720)
    across, *_ = cv2.calibrationMatrixValues(camera.intrinsics.matrix, (1280, 720), 1, 1)
    assert across == pytest.approx(70)
    assert camera.intrinsics.fx == camera.intrinsics.fy
    assert (camera.intrinsics.cx, camera.intrinsics.cy) == (639.5, 359.5)
    assert not camera.is_distorted


def test_a_right_angle_sees_half_its_width_away() -> None:
    assert camera_from_fov(90, 640, 480).intrinsics.fx == pytest.approx(320)


@pytest.mark.parametrize("suffix", [".yml", ".yaml", ".xml"])
def test_reads_what_opencv_writes(tmp_path: Path, suffix: str) -> None:
    camera = read_camera(write_opencv(tmp_path / f"c{suffix}"))
    assert camera == SizedCamera(PINHOLE, (-0.25, 0.07, 0.001, -0.002, 0.01))
    assert camera.is_distorted


def test_distortion_may_be_missing_upright_or_nought(tmp_path: Path) -> None:
    for distortion in (None, np.zeros((1, 5)), np.zeros((8, 1))):
        assert not read_camera(write_opencv(tmp_path / "c.yml", distortion_coefficients=distortion)).is_distorted
    upright = read_camera(write_opencv(tmp_path / "c.yml", distortion_coefficients=np.arange(5.0)[:, None]))
    assert upright.distortion == (0, 1, 2, 3, 4)


MATRIX = PINHOLE.matrix
BAD_FILES: dict[str, tuple[dict[str, Any], str]] = {
    "no matrix": ({"camera_matrix": None}, "camera_matrix"),
    "small matrix": ({"camera_matrix": np.eye(2)}, "camera_matrix"),
    "matrix is text": ({"camera_matrix": "fine"}, "camera_matrix"),
    "no size": ({"image_width": None}, "image_width"),
    "size is no number": ({"image_height": "tall"}, "image_height"),
    "negative size": ({"image_height": -480}, "image_height"),
    "no focal length": ({"camera_matrix": MATRIX * [[0, 1, 1]] * 1.0}, "focal lengths"),
    "not finite": ({"camera_matrix": MATRIX + [[math.nan, 0, 0]] * 3}, "focal lengths"),
    "principal point": ({"camera_matrix": MATRIX + [[0, 0, 400]] * 3}, "principal point"),
    "coefficients": ({"distortion_coefficients": np.zeros((1, 3))}, "3 distortion coefficients"),
    "infinite coefficient": ({"distortion_coefficients": np.array([[math.inf, 0, 0, 0, 0]])}, "not finite"),
    "five for a fisheye": ({"fisheye_model": 1}, "fisheye model has 4"),
    "unknown model": ({"distortion_model": "fov"}, "distortion_model is fov"),
    "unmarked": ({"distortion_coefficients": np.ones((1, 4))}, "fisheye_model to the file"),
}


@pytest.mark.parametrize(("changed", "message"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_file_is_one_line_that_names_it(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    path = write_opencv(tmp_path / "c.yml", **changed)
    with pytest.raises(SourceError, match=message) as error:
        read_camera(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "hello\n: [}", "%YAML:1.0\n---\ncamera_matrix: !!opencv-matrix\n   rows: 3\n"])
def test_a_file_that_is_no_camera(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yml").write_text(text)
    with pytest.raises(SourceError, match=r"c\.yml"):
        read_camera(tmp_path / "c.yml")
    with pytest.raises(SourceError, match="no calibration at"):
        read_camera(tmp_path / "none.yml")


def test_half_the_pixels_see_the_same_rays() -> None:
    half = SizedCamera(PINHOLE, (-0.2, 0, 0, 0)).resized(320, 240)
    assert half.distortion == (-0.2, 0, 0, 0)
    # The outer edge of the last pixel lies on the same ray.
    for pinhole, edge in ((PINHOLE, 639.5), (half.intrinsics, 319.5)):
        assert (edge - pinhole.cx) / pinhole.fx == pytest.approx((639.5 - 322) / 500)


def test_another_shape_of_picture_is_refused() -> None:
    with pytest.raises(SourceError, match=r"640×480.*1280×720.*calibrate"):
        SizedCamera(PINHOLE).resized(1280, 720)


@pytest.mark.parametrize("focal", [0.0, -1.0, math.nan, math.inf])
def test_impossible_focal_lengths(focal: float) -> None:
    with pytest.raises(UsageError):
        Camera.from_focal(focal)


@pytest.mark.parametrize("degrees", [0.0, 180.0, -60.0, math.nan])
def test_impossible_fields_of_view(degrees: float) -> None:
    with pytest.raises(UsageError):
        Camera.from_fov(degrees)
