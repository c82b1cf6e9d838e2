"""How much an undistorted picture sees, asked for in Python and by the commands."""

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bundles import write_bundle
from camera_files import FISHEYE, PLUMB_BOB, kalibr_camera, opencv_file
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.manifest import Manifest
from clipdepth.camera.calibration import read_calibration
from clipdepth.camera.camera import Camera
from clipdepth.camera.corrections import Corrections
from clipdepth.camera.pinhole import Intrinsics
from clipdepth.camera.undistortion import straight_pinhole
from clipdepth.cli import main
from clipdepth.errors import SourceError, UsageError


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return open_bundle(write_bundle(tmp_path_factory.mktemp("b") / "b.bundle", 48, 64)).manifest


def degrees_across(pinhole: Intrinsics) -> float:
    left, right = ((edge - pinhole.cx) / pinhole.fx for edge in (-0.5, pinhole.width - 0.5))
    return math.degrees(math.atan(right) - math.atan(left))


def test_too_wide_a_picture_is_refused_before_one_comes(tmp_path: Path, manifest: Manifest) -> None:
    path = opencv_file(tmp_path / "c.yml", FISHEYE, fisheye_model=1)
    with pytest.raises(
        SourceError,
        match=r"c\.yml: a straight picture 175° wide shows more than this camera sees; give --undistorted-fov",
    ):
        Corrections(manifest, Camera.from_file(path, undistorted_fov=175))


def test_half_the_pixels_see_as_much(manifest: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "camchain.yaml"
    path.write_text(kalibr_camera("equi", FISHEYE))
    corrections = Corrections(manifest, Camera.from_file(path, undistorted_fov=70))
    for height, width in ((480, 640), (240, 320)):
        assert degrees_across(corrections.at(height, width).intrinsics) == pytest.approx(70)


def test_the_commands_take_the_options_and_a_calibration_keeps_them(tmp_path: Path, manifest: Manifest) -> None:
    bundle, out = write_bundle(tmp_path / "b.bundle", 48, 64), tmp_path / "desk.json"
    cv2.imwrite(str(tmp_path / "p.png"), np.full((480, 640, 3), 90, np.uint8))
    (tmp_path / "chain.yaml").write_text(
        kalibr_camera("equi", FISHEYE) + kalibr_camera("radtan", PLUMB_BOB[:4], "cam1")
    )
    told = ["--calibration", tmp_path / "chain.yaml", "--camera-id", "cam0", "--undistorted-fov", 70]
    command = ["calibrate", bundle, "--source", tmp_path / "p.png", "--point", "320,240=2", "--out", out, *told]
    assert main([str(part) for part in command]) == 0
    camera: dict[str, Any] = json.loads(out.read_text())["camera"]
    assert (camera["lens"], camera["undistorted_fov"], camera["distortion"]) == ("fisheye", 70, list(FISHEYE))
    found, _ = read_calibration(out, open_bundle(bundle).manifest)
    assert found is not None
    assert degrees_across(straight_pinhole(found)) == pytest.approx(70)

    for folder, options in ((tmp_path / "told", told), (tmp_path / "kept", ["--calibration", out])):
        folder.mkdir()
        command = ["run", bundle, "--source", tmp_path / "p.png", "--output", folder / "depth.npz", *options]
        assert main([str(part) for part in command]) == 0
        (written,) = folder.glob("*.npz")
        with np.load(written) as arrays:
            focal = next(arrays[name] for name in arrays.files if "intrinsics" in name).ravel()[0]
        assert 640 / 2 / focal == pytest.approx(math.tan(math.radians(35)), rel=0.01)
    with pytest.raises(UsageError, match="leave out --undistorted-fov"):
        Corrections(open_bundle(bundle).manifest, Camera.from_file(out, undistorted_fov=80))
