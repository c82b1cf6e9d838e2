"""Calibration files that are not read: one line each, which names the file, its kind and the field."""

import json
from pathlib import Path

import numpy as np
import pytest

from bundles import write_bundle
from camera_files import (
    FISHEYE,
    PLUMB_BOB,
    RADTAN,
    K,
    colmap_file,
    kalibr_camera,
    opencv_file,
    realsense_stream,
    ros2_message,
    ros_file,
)
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.manifest import Manifest
from clipdepth.camera.camera import Camera
from clipdepth.camera.corrections import Corrections
from clipdepth.camera.files.content import LARGEST_BYTES, LARGEST_YAML, read_content
from clipdepth.camera.files.kinds import read_cameras
from clipdepth.errors import ClipdepthError, SourceError, UsageError

ROS2 = ros2_message("plumb_bob", PLUMB_BOB)
KALIBR = kalibr_camera("radtan", RADTAN)
STREAM = realsense_stream("distortion.brown_conrady", PLUMB_BOB)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return open_bundle(write_bundle(tmp_path_factory.mktemp("b") / "b.bundle", 48, 64)).manifest


def changed(written: str, old: str, new: str) -> str:
    assert old in written
    return written.replace(old, new, 1)


def ros_text(folder: Path, model: str | None, coefficients: tuple[float, ...]) -> str:
    return ros_file(folder / "ost.yaml", model, coefficients).read_text()


# Of each a name, what is written, and what the line must say.
BAD: dict[str, tuple[str, str, str]] = {
    "kalibr omni": ("c.yaml", changed(KALIBR, "camera_model: pinhole", "camera_model: omni"), "Kalibr.*omni-radtan"),
    "kalibr ds": ("c.yaml", changed(KALIBR, "camera_model: pinhole", "camera_model: ds"), "Kalibr.*cam0.camera_model"),
    "kalibr fov": ("c.yaml", changed(KALIBR, "distortion_model: radtan", "distortion_model: fov"), "model is fov"),
    "kalibr size": ("c.yaml", changed(KALIBR, "[640, 480]", "[640]"), "Kalibr.*field cam0.resolution is \\[640\\]"),
    "kalibr half": ("c.yaml", changed(KALIBR, "[640, 480]", "[640, 480.5]"), "cam0.resolution.*whole numbers"),
    "kalibr intrinsics": ("c.yaml", changed(KALIBR, "402.5", "x"), "cam0.intrinsics is .* not 4 numbers"),
    "kalibr coefficients": ("c.yaml", changed(KALIBR, "0.07", ".nan"), "cam0.distortion_coeffs"),
    "kalibr centre": ("c.yaml", changed(KALIBR, "322.25", "900"), "Kalibr.*camera cam0: the principal point"),
    "ros2 matrix": ("c.yaml", changed(ROS2, "- 402.5\n", ""), "camera_info message.*field k is .* not 9 numbers"),
    "ros2 size": ("c.yaml", changed(ROS2, "width: 640", "width: 0"), "field width is 0"),
    "ros2 model": ("c.yaml", changed(ROS2, "plumb_bob", "thin_prism"), "field distortion_model is thin_prism"),
    "ros2 no calibration": ("c.yaml", changed(ROS2, "- 402.5\n", "- 0.0\n"), "field k is 0: .* not calibrated"),
    "ros2 two cameras": ("c.yaml", ROS2 + changed(ROS2, "402.5", "500.0"), "different cameras.*--once"),
    "ros2 unmarked": ("c.yaml", ros2_message("''", RADTAN), "field d is not marked.*fisheye_model"),
    "colmap model": ("cameras.txt", "1 FOV 640 480 500 500 320 240 0.9\n", "COLMAP.*line 1: field MODEL is FOV"),
    "colmap numbers": ("cameras.txt", "1 OPENCV 640 480 500 500 320 240\n", "line 1: field PARAMS .* not 8 numbers"),
    "colmap size": ("cameras.txt", "# CAMERA_ID, MODEL\n1 PINHOLE 640 x 5 5 320 240\n", "line 2: field HEIGHT is 'x'"),
    "colmap empty": ("cameras.txt", "# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n", "lists no camera"),
    "realsense model": ("c.json", json.dumps({**STREAM, "model": "distortion.ftheta"}), "RealSense.*model is ftheta"),
    "realsense focal": ("c.json", json.dumps({**STREAM, "fx": "wide"}), "RealSense.*field fx is 'wide', not a number"),
    "realsense none": ("c.json", json.dumps({**STREAM, "model": None}), "RealSense.*field model is missing"),
    "realsense nested": (
        "c.json",
        json.dumps({"color": {**STREAM, "width": 1.5}}),
        "RealSense.*field color.width is 1.5, not a whole",
    ),
    "broken yaml": ("c.yaml", "cam0:\n  a: [1,\n  b: }\n", r"c\.yaml is no YAML: line 3"),
    "broken json": ("c.json", '{"width": 640,', r"c\.json is no JSON: .*line 1"),
    "yaml of objects": ("c.yaml", "cam0: !!python/object/apply:os.getcwd []\n", "is no YAML: line 1.*could not"),
    "orb-slam": ("c.yaml", '%YAML:1.0\n\nCamera.type: "PinHole"\nCamera.fx: 500.0\n', "looks like .*ORB-SLAM"),
    "vins": ("c.yaml", "%YAML:1.0\n---\nprojection_parameters:\n   gamma1: 1.0\n", "looks like .*VINS"),
    "euroc": ("sensor.yaml", "sensor_type: camera\nresolution: [752, 480]\n", "looks like a sensor.yaml of EuRoC"),
    "open3d": ("c.json", '{"width": 640, "height": 480, "intrinsic_matrix": [1]}', "looks like .*Open3D"),
    "nerf": ("transforms.json", '{"camera_angle_x": 0.6, "frames": []}', "looks like a transforms.json"),
    "ost.txt": ("ost.txt", "# oST version 5.0 parameters\n\n\n[image]\n\nwidth\n640\n", "looks like an ost.txt of ROS"),
    "no camera": ("c.yaml", "name: Ada\n", "is no calibration of a kind that is known; give one of OpenCV, ROS"),
    "words": ("c.txt", "hello\n", "is no calibration of a kind that is known"),
}


@pytest.mark.parametrize(("name", "written", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_one_line(tmp_path: Path, name: str, written: str, message: str) -> None:
    (tmp_path / name).write_text(written)
    with pytest.raises(ClipdepthError, match=message) as error:
        read_cameras(read_content(tmp_path / name))
    assert str(tmp_path / name) in str(error.value)
    assert "\n" not in str(error.value)


def test_ros_files_name_their_field(tmp_path: Path) -> None:
    for model, coefficients, message in (
        ("plumb_bob", PLUMB_BOB[:3], "there are 3 distortion coefficients"),
        ("equidistant", PLUMB_BOB, "there are 5 distortion coefficients, OpenCV's fisheye model has 4"),
        ("fov", (0.9,), "field distortion_model is fov"),
        (None, RADTAN, "field distortion_coefficients is not marked.*add the field fisheye_model"),
    ):
        path = ros_file(tmp_path / "ost.yaml", model, coefficients)
        with pytest.raises(SourceError, match=message) as error:
            read_cameras(read_content(path))
        assert f"{path} (a camera_info file of ROS)" in str(error.value)


def test_the_mark_that_is_asked_for_is_understood(tmp_path: Path) -> None:
    for mark, lens in ((0, "pinhole"), (1, "fisheye")):
        (tmp_path / "c.yaml").write_text(ros_text(tmp_path, None, FISHEYE) + f"fisheye_model: {mark}\n")
        (of_ros,) = read_cameras(read_content(tmp_path / "c.yaml")).values()
        (of_opencv,) = read_cameras(read_content(opencv_file(tmp_path / "c.yml", FISHEYE, fisheye_model=mark))).values()
        assert (of_ros.lens_name, of_ros.distortion) == (of_opencv.lens_name, of_opencv.distortion) == (lens, FISHEYE)


def test_a_file_that_is_no_text_or_too_large(tmp_path: Path) -> None:
    (tmp_path / "cameras.bin").write_bytes(bytes(range(256)))
    with pytest.raises(SourceError, match=r"COLMAP's cameras\.bin; write cameras\.txt"):
        read_content(tmp_path / "cameras.bin")
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftyp")
    with pytest.raises(SourceError, match="is no text, and no calibration"):
        read_content(tmp_path / "film.mp4")
    with (tmp_path / "large.yaml").open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    with pytest.raises(SourceError, match="has 16 MB, which no calibration has"):
        read_content(tmp_path / "large.yaml")


def test_a_few_lines_that_stand_for_gigabytes_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [
        f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]" for old, new in zip("abcdefghij", "bcdefghijk", strict=True)
    ]
    bomb = "\n".join(lines) + "\n" + kalibr_camera("*k", RADTAN, intrinsics="*k", resolution="*k")
    (tmp_path / "c.yaml").write_text(bomb)
    with pytest.raises(SourceError, match="distortion_model is "):
        read_cameras(read_content(tmp_path / "c.yaml"))
    (tmp_path / "c.yaml").write_text(changed(bomb, "distortion_model: *k", "distortion_model: radtan"))
    with pytest.raises(SourceError, match=r"cam0\.(resolution|intrinsics) is .*, not [24] numbers"):
        read_cameras(read_content(tmp_path / "c.yaml"))
    (tmp_path / "c.yaml").write_text("# " + "x" * LARGEST_YAML)
    with pytest.raises(SourceError, match=r"has 1\.0 MB of YAML"):
        read_cameras(read_content(tmp_path / "c.yaml"))


def test_a_strangers_text_moves_no_cursor(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(changed(KALIBR, "distortion_model: radtan", 'distortion_model: "a\\e[2J"'))
    with pytest.raises(SourceError) as error:
        read_cameras(read_content(tmp_path / "c.yaml"))
    assert r"is a\x1b[2J, a model" in str(error.value)


def test_a_camera_that_bends_too_much_is_refused_before_a_picture_comes(tmp_path: Path, manifest: Manifest) -> None:
    path = opencv_file(tmp_path / "c.yml", (-9.0, 0, 0, 0, 0))
    with pytest.raises(SourceError, match=r"c\.yml: .* is no lens's over most of the picture"):
        Corrections(manifest, Camera.from_file(path))


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """Two cameras of one size, and one of another."""
    return colmap_file(
        tmp_path / "cameras.txt",
        "PINHOLE 640 480 500 500 320 240",
        "PINHOLE 640 480 600 600 320 240",
        "SIMPLE_PINHOLE 1280 720 900 640 360",
    )


def test_pictures_tell_by_their_size_which_camera_films(several: Path, manifest: Manifest) -> None:
    corrections = Corrections(manifest, Camera.from_file(several))
    assert corrections.at(720, 1280).intrinsics.fx == 900
    assert corrections.at(360, 640).intrinsics.fx == 450
    with pytest.raises(SourceError, match=r"cameras 1 \(640×480\), 2 \(640×480\), and several .*--camera-id"):
        corrections.at(480, 640)
    with pytest.raises(SourceError, match=r"1 \(640×480\), 2 .*, 3 \(1280×720\), and none .* 100×300 pictures"):
        corrections.at(300, 100)


def test_a_camera_is_chosen_by_its_name(several: Path, manifest: Manifest, tmp_path: Path) -> None:
    assert Corrections(manifest, Camera.from_file(several, camera_id="2")).at(480, 640).intrinsics.fx == 600
    with pytest.raises(UsageError, match=r"no camera 7, but 1 \(640×480\), 2"):
        Corrections(manifest, Camera.from_file(several, camera_id="7"))
    chain = tmp_path / "camchain.yaml"
    chain.write_text(KALIBR + kalibr_camera("equidistant", FISHEYE, "cam1"))
    chosen = Corrections(manifest, Camera.from_file(chain, camera_id="cam1")).camera(480, 640)
    assert chosen is not None
    assert (chosen.lens_name, chosen.distortion) == ("fisheye", FISHEYE)
    single = opencv_file(tmp_path / "c.yml", PLUMB_BOB)
    with pytest.raises(UsageError, match="has one camera, without a name; leave out --camera-id"):
        Corrections(manifest, Camera.from_file(single, camera_id="1"))


def test_cameras_that_are_the_same_need_no_name(tmp_path: Path, manifest: Manifest) -> None:
    path = colmap_file(tmp_path / "cameras.txt", *["PINHOLE 640 480 500 501 320 240"] * 3)
    found = Corrections(manifest, Camera.from_file(path)).at(480, 640).intrinsics
    assert (found.fx, found.fy, found.cx, found.cy) == (500, 501, 319.5, 239.5)


def test_a_dump_of_several_streams(tmp_path: Path, manifest: Manifest) -> None:
    depth = {**STREAM, "width": 848, "height": 480, "ppx": 420.0, "coeffs": [0.0] * 5}
    (tmp_path / "c.json").write_text(json.dumps({"serial": "123", "color": STREAM, "depth": depth}))
    corrections = Corrections(manifest, Camera.from_file(tmp_path / "c.json"))
    assert corrections.at(480, 848).intrinsics.cx == 420.0
    assert corrections.at(480, 640).intrinsics.cx == pytest.approx(K[0, 2])
    assert np.isfinite(corrections.at(480, 640).intrinsics.fx)


def test_options_without_a_file_are_refused() -> None:
    for given in ({"undistorted_fov": 90.0}, {"camera_id": "1"}):
        with pytest.raises(UsageError, match="are for a calibration file; give it too"):
            Camera(**given)  # type: ignore[arg-type]
    for degrees in (0.0, 180.0, float("nan")):
        with pytest.raises(UsageError, match="wide cannot be"):
            Camera.from_file("c.yml", undistorted_fov=degrees)
