"""`clipdepth calibrate` on a bundle whose depth is known: 0.5 m plus 5 m times the brightness of a pixel."""

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bundles import write_bundle
from clipdepth.bundle.folder import open_bundle
from clipdepth.camera.calibration import read_calibration
from clipdepth.camera.camera import Camera
from clipdepth.camera.corrections import Corrections
from clipdepth.cli.calibrate import main
from clipdepth.engines import usable_cores
from clipdepth.engines.choice import load_fastest
from clipdepth.errors import ClipdepthError, SourceError, UsageError
from photographs import FOCAL_35, photograph

LEVELS = {(10, 24): 51, (32, 24): 102, (54, 24): 153}
"""Grey levels about three pixels (x, y), whose depth is then 1.5, 2.5 and 3.5 m."""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "b.bundle")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    frame = np.full((48, 64, 3), 200, np.uint8)
    for (x, y), level in LEVELS.items():
        frame[y - 5 : y + 6, x - 5 : x + 6] = level
    cv2.imwrite(str(tmp_path / "scene.png"), frame)
    return tmp_path / "scene.png"


def calibrate(bundle: Path, picture: Path, *arguments: object) -> dict[str, Any]:
    out = bundle.parent / "c.json"
    # Named, since 'auto' starts a process for every engine.
    words = [str(bundle), "--source", str(picture), "--out", str(out), "--engine", "onnxruntime", *map(str, arguments)]
    assert main(words) == 0
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def test_the_median_of_ratios_ignores_a_wrong_point(
    bundle: Path, picture: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    points = ("--point", "10,24=1.8", "--point", "32,24=3.0", "--point", "54,24=40")
    found = calibrate(bundle, picture, *points, "--along", "axis")
    assert found["scale"] == pytest.approx(1.2)
    assert [point["predicted"] for point in found["points"]] == pytest.approx([1.5, 2.5, 3.5])
    out = capsys.readouterr().out
    assert "1.500 m" in out
    assert "1.800 m" in out
    assert "-35.800 m (-89.5%)" in out
    assert "disagree" in caplog.text


def test_what_run_is_given_makes_the_points_right(bundle: Path, picture: Path) -> None:
    calibrate(bundle, picture, "--point", "10,24=1.2", "--along", "axis", "--fov", 70)
    manifest = open_bundle(bundle).manifest
    correction = Corrections(manifest, Camera(calibration=bundle.parent / "c.json")).at(48, 64)
    assert correction.depth(np.float32([1.5]))[0] == pytest.approx(1.2)
    assert correction.intrinsics.fx == pytest.approx(32 / math.tan(math.radians(35)))
    # And twice as large a picture of the same camera.
    double = Corrections(manifest, Camera(calibration=bundle.parent / "c.json")).at(96, 128)
    assert double.conversion.scale == pytest.approx(correction.conversion.scale)


def test_a_tape_measures_along_the_ray(bundle: Path, picture: Path) -> None:
    # fx = fy = 32 pixels: the point 21.5 left of the axis and 0.5 below it is on a slanted ray.
    slant = math.sqrt(1 + (21.5 / 32) ** 2 + (0.5 / 32) ** 2)
    found = calibrate(bundle, picture, "--point", f"10,24={3 * slant}", "--focal-px", 32)
    assert found["points"][0]["depth"] == pytest.approx(3.0)
    # Before the scale the depth was corrected by f' / f = 32 / 57.6.
    assert found["points"][0]["predicted"] == pytest.approx(1.5 * 32 / 57.6)
    assert found["scale"] == pytest.approx(3.0 / (1.5 * 32 / 57.6))


def test_a_point_is_of_the_cameras_own_bent_picture(tmp_path: Path) -> None:
    bundle, camera = write_bundle(tmp_path / "large.bundle", 240, 320), tmp_path / "camera.yml"
    storage = cv2.FileStorage(str(camera), cv2.FILE_STORAGE_WRITE)
    matrix = np.array([[200.0, 0, 159.5], [0, 200, 119.5], [0, 0, 1]])
    lens = np.array([[-0.25, 0.0, 0.0, 0.0, 0.0]])
    sizes = {"image_width": 320, "image_height": 240}
    for name, value in {**sizes, "camera_matrix": matrix, "distortion_coefficients": lens}.items():
        storage.write(name, value)
    storage.release()
    # A disc about the pixel where the lens puts the straight ray (-0.3, -0.2).
    squared = 0.3**2 + 0.2**2
    x, y = (-ray * (1 - 0.25 * squared) * 200 + centre for ray, centre in ((0.3, 159.5), (0.2, 119.5)))
    frame = np.full((240, 320, 3), 204, np.uint8)
    cv2.circle(frame, (round(x), round(y)), 6, (51, 51, 51), -1)
    cv2.imwrite(str(tmp_path / "bent.png"), frame)
    point = f"{x},{y}={2 * math.sqrt(1 + squared)}"
    found = calibrate(bundle, tmp_path / "bent.png", "--point", point, "--calibration", camera)
    assert found["points"][0]["depth"] == pytest.approx(2.0, rel=1e-4)
    # The disc's 1.5 m by f' / f, where f' is shorter than the bent picture's 200 pixels; all else is 4.5 m.
    assert 0.75 * 200 / 288 < found["points"][0]["predicted"] / 1.5 < 200 / 288
    assert found["camera"]["distortion"] == [-0.25, 0, 0, 0, 0]


def test_calibrating_again_does_not_add_to_the_scale(bundle: Path, picture: Path) -> None:
    first = calibrate(bundle, picture, "--point", "10,24=3", "--fov", 70)
    kept = (bundle.parent / "c.json").rename(bundle.parent / "first.json")
    assert calibrate(bundle, picture, "--point", "10,24=3", "--calibration", kept) == first


def test_an_odd_pixel_beside_a_point_does_not_count(bundle: Path, picture: Path) -> None:
    frame = cv2.imread(str(picture))
    frame[24, 11], frame[25, 10] = 255, 0
    cv2.imwrite(str(picture), frame)
    assert calibrate(bundle, picture, "--point", "10,24=3")["points"][0]["predicted"] == pytest.approx(1.5)


def test_a_bundle_without_fp32_is_calibrated_too(picture: Path, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "small.bundle", precisions=("fp16", "int8"))
    assert calibrate(bundle, picture, "--point", "10,24=3", "--along", "axis")["scale"] == pytest.approx(2.0)


def test_it_measures_with_what_run_would_take(
    bundle: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(bundle), "--source", str(picture), "--point", "10,24=3", "--along", "axis"]
    assert main([*words, "--out", str(tmp_path / "c.json")]) == 0
    assert json.loads((tmp_path / "c.json").read_text())["scale"] == pytest.approx(2.0, rel=0.01)
    choice = load_fastest(open_bundle(bundle), (), usable_cores(), None)[1]
    assert choice.remembered
    assert choice.engine in capsys.readouterr().err


def test_several_frames_count_by_their_median(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for index, level in enumerate((51, 51, 255, 51, 0)):
        cv2.imwrite(str(folder / f"{index}.png"), np.full((48, 64, 3), level, np.uint8))
    found = calibrate(bundle, folder, "--point", "32,24=3", "--along", "axis", "--frames", 5)
    assert found["scale"] == pytest.approx(2.0)


def test_a_camera_that_nobody_told_stays_assumed_in_the_file(
    bundle: Path, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(bundle, picture, "--point", "32,24=3")["camera"]["origin"] == "assumed"
    assert "camera assumed: 58 px at 64×48; depth is fitted all the same" in capsys.readouterr().out
    calibrated = Corrections(open_bundle(bundle).manifest, Camera(calibration=bundle.parent / "c.json"))
    assert calibrated.at(96, 128).intrinsics.assumed
    assert calibrate(bundle, picture, "--point", "32,24=3", "--fov", 70)["camera"]["origin"] == "told"
    assert capsys.readouterr().out.endswith("camera told: 46 px at 64×48\n")


def test_a_photographs_own_focal_length_counts(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photo.jpg").write_bytes(photograph({FOCAL_35: 26}, grey=102))
    found = calibrate(bundle, tmp_path / "photo.jpg", "--point", "32,24=3", "--along", "axis")
    focal = 26 / math.hypot(36, 24) * 80
    assert (found["camera"]["origin"], found["camera"]["fx"]) == ("metadata", pytest.approx(focal))
    assert found["points"][0]["predicted"] == pytest.approx(2.5 * focal / 57.6)
    assert "camera by the file's own metadata: 48 px at 64×48\n" in capsys.readouterr().out


def test_the_picture_shows_depth_before_and_after(bundle: Path, picture: Path, tmp_path: Path) -> None:
    calibrate(bundle, picture, "--point", "32,24=1.25", "--along", "axis", "--picture", tmp_path / "p.png")
    drawn = cv2.imread(str(tmp_path / "p.png"))
    assert drawn.shape[0] == 48
    assert drawn.shape[1] > 3 * 64
    typed, before, after = (drawn[40:, start : start + 64] for start in (0, 64, 128))
    assert np.abs(typed.astype(int) - 200).mean() < 1
    # The background's 4.4 m became 2.2 m: bluer before than after.
    assert before[..., 0].mean() > after[..., 0].mean() + 50


BAD = {
    "no number": ("--point", "a,b=2"),
    "no metres": ("--point", "3,4"),
    "nought": ("--point", "3,4=0"),
    "infinite": ("--point", "3,4=inf"),
    "outside": ("--point", "64,4=2"),
    "no point": (),
    "two cameras": ("--point", "3,4=2", "--fov", "60", "--focal-px", "60"),
    "fov": ("--point", "3,4=2", "--fov", "180"),
    "focal": ("--point", "3,4=2", "--focal-px", "0"),
    "picture": ("--point", "3,4=2", "--picture", "p.jpg"),
}


@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD.keys())
def test_misuse_is_one_line(bundle: Path, picture: Path, arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as error:
        calibrate(bundle, picture, *arguments)
    assert "\n" not in str(error.value)
    assert not (bundle.parent / "c.json").exists()


def test_other_suffixes_are_misuse(bundle: Path, picture: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.json"):
        main([str(bundle), "--source", str(picture), "--point", "3,4=2", "--out", str(tmp_path / "c.yml")])


def test_frames_of_several_sizes_are_refused(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for index, width in enumerate((64, 32)):
        cv2.imwrite(str(folder / f"{index}.png"), np.zeros((48, width, 3), np.uint8))
    with pytest.raises(SourceError, match="several sizes or focal lengths"):
        calibrate(bundle, folder, "--point", "3,4=2", "--frames", 2)


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "schema": ({"schema": 2}, "schema 2"),
    "scale": ({"scale": -1.0}, "field scale"),
    "field": ({"colour": 1}, "colour"),
    "camera": ({"camera": {}}, "field camera"),
    "network": ({"checkpoint_sha256": "f" * 64}, "another network"),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES.keys())
def test_a_tampered_calibration_is_refused(bundle: Path, picture: Path, change: dict[str, Any], message: str) -> None:
    found = calibrate(bundle, picture, "--point", "3,4=2")
    path, manifest = bundle.parent / "c.json", open_bundle(bundle).manifest
    assert read_calibration(path, manifest)[1].scale == found["scale"]
    path.write_text(json.dumps({**found, **change}))
    with pytest.raises(ClipdepthError, match=message) as error:
        read_calibration(path, manifest)
    assert "calibrate" in str(error.value)
    assert "c.json" in str(error.value)
