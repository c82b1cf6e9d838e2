"""Calibration files in each tool's own layout, against what OpenCV projects with the numbers that were written."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from camera_files import (
    D455,
    FISHEYE,
    PLUMB_BOB,
    RADTAN,
    RATIONAL,
    SIZE,
    K,
    colmap_file,
    interactive_file,
    kalibr_camera,
    opencv_file,
    realsense_file,
    realsense_stream,
    ros1_message,
    ros2_message,
    ros_file,
)
from clipdepth.camera.files.content import read_content
from clipdepth.camera.files.kinds import read_cameras
from clipdepth.camera.sized import SizedCamera

HALF = 0.5
"""Where COLMAP has the centre of the top-left pixel."""
POINTS: NDArray[np.float64] = np.random.default_rng(7).uniform((-1.2, -0.9, 1.5), (1.2, 0.9, 4.0), (200, 3))


def cameras_of(path: Path) -> dict[str, SizedCamera]:
    return read_cameras(read_content(path))


def text(path: Path, written: str) -> Path:
    path.write_text(written)
    return path


def project(
    coefficients: tuple[float, ...], is_fisheye: bool = False, matrix: NDArray[np.float64] = K
) -> NDArray[np.float64]:
    """The pixels of POINTS by OpenCV, with the numbers that the file was written with."""
    origin, given = np.zeros((3, 1)), np.array(coefficients)
    if is_fisheye:
        pixels, _ = cv2.fisheye.projectPoints(POINTS[:, None], origin, origin, matrix, given)
        return np.asarray(pixels[:, 0], np.float64)
    pixels, _ = cv2.projectPoints(POINTS, origin, origin, matrix, given)
    return np.asarray(pixels[:, 0], np.float64)


def seen(camera: SizedCamera) -> NDArray[np.float64]:
    """The pixels of POINTS by the camera that was read."""
    rays = POINTS[:, :2] / POINTS[:, 2:]
    return camera.lens.bend(rays, camera.intrinsics.matrix, camera.coefficients)


def colmap(path: Path, model: str, numbers: tuple[float, ...], equal: bool = False) -> Path:
    """COLMAP's own numbers of K: the principal point half a pixel on; `equal` has one focal length."""
    focals = K[0, 0], K[1, 1]
    centre = K[0, 2] + HALF, K[1, 2] + HALF
    params = (*focals[: 1 if equal else 2], *centre, *numbers)
    return colmap_file(path, " ".join([model, *map(str, SIZE), *(repr(float(value)) for value in params)]))


PINHOLES: dict[str, tuple[Callable[[Path], Path], tuple[float, ...]]] = {
    "OpenCV, YAML": (lambda at: opencv_file(at / "c.yml", PLUMB_BOB), PLUMB_BOB),
    "OpenCV, XML": (lambda at: opencv_file(at / "c.xml", RATIONAL), RATIONAL),
    "OpenCV, JSON": (lambda at: opencv_file(at / "c.json", PLUMB_BOB), PLUMB_BOB),
    "OpenCV, marked": (lambda at: opencv_file(at / "c.yml", RADTAN, fisheye_model=0), RADTAN),
    "OpenCV, marked by name": (lambda at: opencv_file(at / "c.yml", RADTAN, camera_model="pinhole"), RADTAN),
    "OpenCV's application": (lambda at: interactive_file(at / "CamParams.xml", PLUMB_BOB), PLUMB_BOB),
    "ROS, plumb_bob": (lambda at: ros_file(at / "ost.yaml", "plumb_bob", PLUMB_BOB), PLUMB_BOB),
    "ROS, plumb_bob of 4": (lambda at: ros_file(at / "ost.yaml", "plumb_bob", RADTAN), RADTAN),
    "ROS, no model": (lambda at: ros_file(at / "ost.yaml", None, PLUMB_BOB), PLUMB_BOB),
    "ROS, rational": (lambda at: ros_file(at / "ost.yaml", "rational_polynomial", RATIONAL), RATIONAL),
    "ROS 2, topic": (lambda at: text(at / "c.yaml", ros2_message("plumb_bob", PLUMB_BOB)), PLUMB_BOB),
    "ROS 2, rational": (lambda at: text(at / "c.yaml", ros2_message("rational_polynomial", RATIONAL)), RATIONAL),
    "ROS 2, nothing bends": (lambda at: text(at / "c.yaml", ros2_message("''", ())), ()),
    "ROS 1, topic": (lambda at: text(at / "dump.txt", ros1_message("plumb_bob", PLUMB_BOB)), PLUMB_BOB),
    "Kalibr, radtan": (lambda at: text(at / "camchain.yaml", kalibr_camera("radtan", RADTAN)), RADTAN),
    "Kalibr, none": (lambda at: text(at / "camchain.yaml", kalibr_camera("none", ())), ()),
    "OpenVINS": (lambda at: text(at / "c.yaml", "%YAML:1.0\n\n" + kalibr_camera("radtan", RADTAN)), RADTAN),
    "COLMAP, PINHOLE": (lambda at: colmap(at / "cameras.txt", "PINHOLE", ()), ()),
    "COLMAP, OPENCV": (lambda at: colmap(at / "cameras.txt", "OPENCV", RADTAN), RADTAN),
    "COLMAP, FULL_OPENCV": (lambda at: colmap(at / "cameras.txt", "FULL_OPENCV", RATIONAL), RATIONAL),
    "RealSense, none": (lambda at: realsense_file(at / "c.json", realsense_stream("distortion.none", [0] * 5)), ()),
    "RealSense, Brown": (
        lambda at: realsense_file(at / "c.json", realsense_stream("distortion.brown_conrady", PLUMB_BOB)),
        PLUMB_BOB,
    ),
}
FISHEYES: dict[str, Callable[[Path], Path]] = {
    "OpenCV's sample": lambda at: opencv_file(at / "c.yml", FISHEYE, fisheye_model=1),
    "OpenCV, by name": lambda at: opencv_file(at / "c.xml", FISHEYE, distortion_model="equidistant"),
    "opencv_contrib": lambda at: opencv_file(at / "c.xml", FISHEYE, calibrationModel="fisheye"),
    "ROS": lambda at: ros_file(at / "ost.yaml", "equidistant", FISHEYE),
    "ROS 2, topic": lambda at: text(at / "c.yaml", ros2_message("equidistant", FISHEYE)),
    "ROS 2, padded": lambda at: text(at / "c.yaml", ros2_message("equidistant", (*FISHEYE, 0.0))),
    "Kalibr": lambda at: text(at / "camchain.yaml", kalibr_camera("equidistant", FISHEYE)),
    "Kalibr, short": lambda at: text(at / "camchain.yaml", kalibr_camera("equi", FISHEYE)),
    "COLMAP": lambda at: colmap(at / "cameras.txt", "OPENCV_FISHEYE", FISHEYE),
    "RealSense": lambda at: realsense_file(at / "c.json", realsense_stream("Kannala Brandt4", (*FISHEYE, 0))),
    "RealSense, by number": lambda at: realsense_file(at / "c.json", realsense_stream(5, (*FISHEYE, 0))),
}


@pytest.mark.parametrize(("write", "coefficients"), PINHOLES.values(), ids=PINHOLES.keys())
def test_a_pinhole_projects_as_opencv(
    tmp_path: Path, write: Callable[[Path], Path], coefficients: tuple[float, ...]
) -> None:
    (camera,) = cameras_of(write(tmp_path)).values()
    assert (camera.intrinsics.width, camera.intrinsics.height) == SIZE
    assert camera.is_distorted == bool(coefficients)
    np.testing.assert_allclose(seen(camera), project(coefficients), atol=1e-6)


@pytest.mark.parametrize("write", FISHEYES.values(), ids=FISHEYES.keys())
def test_a_fisheye_projects_as_opencv(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    (camera,) = cameras_of(write(tmp_path)).values()
    assert (camera.intrinsics.width, camera.intrinsics.height) == SIZE
    assert camera.is_distorted
    np.testing.assert_allclose(seen(camera), project(FISHEYE, is_fisheye=True), atol=1e-6)


@pytest.mark.parametrize(
    ("model", "numbers", "expected", "is_fisheye"),
    [
        ("SIMPLE_PINHOLE", (), (), False),
        ("SIMPLE_RADIAL", (-0.2,), (-0.2, 0, 0, 0), False),
        ("RADIAL", (-0.2, 0.05), (-0.2, 0.05, 0, 0), False),
        ("SIMPLE_RADIAL_FISHEYE", (-0.02,), (-0.02, 0, 0, 0), True),
        ("RADIAL_FISHEYE", (-0.02, 0.01), (-0.02, 0.01, 0, 0), True),
    ],
)
def test_colmaps_models_of_one_focal_length(
    tmp_path: Path, model: str, numbers: tuple[float, ...], expected: tuple[float, ...], is_fisheye: bool
) -> None:
    square = np.array([[K[0, 0], 0, K[0, 2]], [0, K[0, 0], K[1, 2]], [0, 0, 1]])
    (camera,) = cameras_of(colmap(tmp_path / "cameras.txt", model, numbers, equal=True)).values()
    np.testing.assert_allclose(seen(camera), project(expected, is_fisheye, square), atol=1e-6)


def librealsense(coefficients: tuple[float, ...]) -> NDArray[np.float64]:
    """The pixels of POINTS by rs2_project_point_to_pixel's formula for inverse and modified Brown-Conrady."""
    k1, k2, p1, p2, k3 = coefficients
    x, y = (POINTS[:, :2] / POINTS[:, 2:]).T
    r2 = x * x + y * y
    f = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    x, y = x * f, y * f
    bent = np.stack([x + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y + 2 * p2 * x * y + p1 * (r2 + 2 * y * y)], 1)
    return np.asarray(bent * [K[0, 0], K[1, 1]] + [K[0, 2], K[1, 2]])


def test_realsenses_inverse_model_bends_as_its_library_does(tmp_path: Path) -> None:
    path = realsense_file(tmp_path / "c.json", realsense_stream("distortion.inverse_brown_conrady", D455))
    (camera,) = cameras_of(path).values()
    assert np.abs(seen(camera) - librealsense(D455)).max() < 0.05
    # The other way round would be far off.
    assert np.abs(seen(camera) - librealsense((0.0,) * 5)).max() > 3


def test_numbers_as_yaml_cpp_writes_them(tmp_path: Path) -> None:
    written = ros2_message("plumb_bob", PLUMB_BOB).replace("- 0.001", "- 1e-03")
    assert "1e-03" in written
    (camera,) = cameras_of(text(tmp_path / "c.yaml", written)).values()
    assert camera.distortion == PLUMB_BOB


def test_a_topic_of_many_messages_is_one_camera(tmp_path: Path) -> None:
    written = "".join(ros2_message("plumb_bob", PLUMB_BOB, sec=second) for second in (1, 2, 3))
    (camera,) = cameras_of(text(tmp_path / "c.yaml", written)).values()
    assert camera.distortion == PLUMB_BOB


def test_a_region_of_the_sensor_and_joined_pixels_see_the_same_rays(tmp_path: Path) -> None:
    roi = {"x_offset": 80, "y_offset": 40, "width": 480, "height": 400}
    written = ros2_message("plumb_bob", PLUMB_BOB, roi=roi, binning_x=2, binning_y=2)
    (camera,) = cameras_of(text(tmp_path / "c.yaml", written)).values()
    assert (camera.intrinsics.width, camera.intrinsics.height) == (240, 200)
    # Two by two pixels become one, whose centre lies between theirs.
    expected = (project(PLUMB_BOB) - [80, 40] + HALF) / 2 - HALF
    np.testing.assert_allclose(seen(camera), expected, atol=1e-6)
