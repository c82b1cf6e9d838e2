"""RealSense recordings in folders."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from train.dataset_files import listed, picture, prepare, ramp, refused, write, write_text

OPEN3D = {"width": 64, "height": 48, "intrinsic_matrix": [60.5, 0, 0, 0, 61.5, 0, 31.25, 24.75, 1]}


def record(folder: Path, about: dict[str, object], frames: int = 2, name: str = "camera_intrinsic.json") -> Path:
    for index in range(frames):
        write(folder / "color" / f"{index:06d}.jpg", picture(40 * index, 64, 48))
        write(folder / "depth" / f"{index:06d}.png", ramp(1000 * index, 64, 48))
    write_text(folder / name, json.dumps(about))
    return folder


def pyrealsense(coefficients: list[float], **more: object) -> dict[str, object]:
    return {
        "width": 64, "height": 48, "fx": 60.5, "fy": 61.5, "ppx": 31.25, "ppy": 24.75,
        "model": "inverse_brown_conrady", "coeffs": coefficients, **more,
    }  # fmt: skip


def test_a_recording_of_open3d_is_listed_where_it_lies(tmp_path: Path) -> None:
    record(tmp_path / "desk", OPEN3D, 20)
    assert prepare("realsense", tmp_path / "desk", tmp_path / "out") == 0
    train, test = (listed(tmp_path / "out", split) for split in ("train", "test"))
    assert len(train) == 18
    assert [line.rgb.stem for line in test] == ["000018", "000019"]
    assert train[1].camera == (60.5, 61.5, 31.25, 24.75)
    assert (train[1].units == ramp(1000, 64, 48)).all()
    assert not (tmp_path / "out" / "scenes").exists()


def test_a_unit_that_is_no_millimetre_is_converted(tmp_path: Path) -> None:
    record(tmp_path / "d405", pyrealsense([0.0] * 5, depth_scale=0.0001), name="intrinsics.json")
    assert prepare("realsense", tmp_path / "d405", tmp_path / "out") == 0
    (line,) = listed(tmp_path / "out", "train")
    assert line.camera == (60.5, 61.5, 31.25, 24.75)
    np.testing.assert_allclose(line.units, ramp(0, 64, 48) / 10, atol=0.5001)


def test_a_lens_that_bends_is_undone_in_picture_and_depth(tmp_path: Path) -> None:
    bent = [-0.3, 0.1, 0.001, -0.002, 0.0]
    about = pyrealsense(bent)
    # A plane of depth that grows with the ray's x: seen through the lens, and where a pinhole sees it.
    matrix = np.array([[60.5, 0, 31.25], [0, 61.5, 24.75], [0, 0, 1]])
    v, u = np.mgrid[:48, :64].astype(np.float64)
    rays = cv2.undistortPoints(np.stack([u, v], -1).reshape(-1, 1, 2), matrix, np.array(bent)).reshape(48, 64, 2)
    depth = 2000 + 1000 * rays[..., 0]
    record(tmp_path / "wide", about, 1)
    write(tmp_path / "wide" / "depth" / "000000.png", np.rint(depth).astype(np.uint16))
    assert prepare("realsense", tmp_path / "wide", tmp_path / "out") == 0
    (line,) = listed(tmp_path / "out", "test")
    fx, _, cx, _ = line.camera
    straight = 2000 + 1000 * (u - cx) / fx
    assert line.units.min() > 0
    # A pixel is 1000 / fx or 16 mm wide here, so that the nearest neighbour is within 8.
    assert np.abs(line.units - straight)[3:-3, 3:-3].max() < 12
    assert np.abs((line.units - straight)[3:-3, 3:-3].mean()) < 0.5


def test_what_is_missing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = record(tmp_path / "desk", OPEN3D)
    (folder / "color" / "000001.jpg").unlink()
    assert "000001.png has no picture" in refused(capsys, "realsense", folder, tmp_path / "out")
    (folder / "camera_intrinsic.json").unlink()
    assert "needs one JSON file" in refused(capsys, "realsense", folder, tmp_path / "out2")
    assert not (tmp_path / "out2").exists(), "the next try is refused by what this one left"
    write_text(folder / "a.json", '{"intrinsic_matrix": [1, 2], "width": 64}')
    assert "a.json is damaged" in refused(capsys, "realsense", folder, tmp_path / "out3")
    (tmp_path / "bags").mkdir()
    write_text(tmp_path / "bags" / "walk.bag", "")
    assert "prepare ros2" in refused(capsys, "realsense", tmp_path / "bags", tmp_path / "out4")
