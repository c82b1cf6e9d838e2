"""Depth of a camera beside the picture's: what the renderer says the picture's own camera would measure."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from clipdepth.camera.pinhole import Intrinsics
from clipdepth_train.data.datasets.registered import registered
from train.beside import colour_and_depth
from train.dataset_files import listed, prepare, refused, write, write_text

WIDTH, HEIGHT = 320, 240
COLOUR = Intrinsics(WIDTH, HEIGHT, 262.5, 262.5, 159.5, 119.5)
DEPTH = Intrinsics(WIDTH, HEIGHT, 292.5, 292.5, 160.5, 118.0)
SMALL = Intrinsics(160, 120, 140.0, 143.0, 79.5, 59.5)
"""A depth camera of half the pixels, which are not square."""
BASELINE = 0.05
SEED = 3
Truth = NDArray[np.float32]
"""(H, W) metres."""


def wrong(depth: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Of the known pixels, the share that are wrong by more than 2%."""
    known = depth > 0
    return float((np.abs(depth[known] / truth[known] - 1) > 0.02).mean())


@pytest.mark.parametrize("camera", [DEPTH, SMALL], ids=["narrower", "small"])
@pytest.mark.parametrize("baseline", [BASELINE, -BASELINE, 0.0])
def test_it_is_what_the_pictures_camera_measures(camera: Intrinsics, baseline: float) -> None:
    view, depth = colour_and_depth(SEED, COLOUR, camera, baseline)
    found = registered(depth, camera, COLOUR, baseline)
    assert found.shape == view.depth.shape
    # The narrower camera's picture fills 0.9 × 0.9 of the wider one's, less what is hidden beside near things.
    assert 0.75 < (found > 0).mean() < 0.95
    # At outlines a pixel of the depth camera lies across; a small one's pixels are larger.
    assert wrong(found, view.depth) < (0.02 if camera is DEPTH else 0.06)
    if camera is DEPTH:
        assert wrong(depth, view.depth) > 0.3


def test_another_baseline_would_show() -> None:
    view, depth = colour_and_depth(SEED, COLOUR, DEPTH, BASELINE)
    right, left, none = (wrong(registered(depth, DEPTH, COLOUR, by), view.depth) for by in (BASELINE, -BASELINE, 0.0))
    assert right < none < left


def test_a_surface_that_is_enlarged_has_no_cracks() -> None:
    slanted = np.broadcast_to(np.linspace(1, 4, SMALL.width, dtype=np.float32), (SMALL.height, SMALL.width))
    found = registered(slanted, SMALL, Intrinsics(800, 600, 700.0, 715.0, 399.5, 299.5), BASELINE)
    rows, columns = np.nonzero(found)
    inside = found[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert inside.size > 0.8 * 800 * 600
    assert (inside > 0).all()


def test_nearer_things_hide_farther_ones_and_unknown_stays_unknown() -> None:
    camera = Intrinsics(9, 1, 10.0, 10.0, 4.0, 0.0)
    depth = np.array([[4, 4, 4, 4, 1, 4, 4, 0, 4]], np.float32)
    # At 1 m the baseline moves a pixel by four to the left, at 4 m by one.
    found = registered(depth, camera, camera, 0.4)
    assert found.tolist() == [[1, 4, 4, 0, 4, 4, 0, 4, 0]]


def test_depth_that_is_all_unknown() -> None:
    assert not registered(np.zeros((HEIGHT, WIDTH), np.float32), DEPTH, COLOUR, BASELINE).any()


def write_layout(folder: Path, camera: str, depth_camera: Intrinsics = DEPTH, baseline: float = BASELINE) -> Truth:
    """A pair to train and one to test, unregistered; returns the picture's true depth."""
    view, depth = colour_and_depth(SEED, COLOUR, depth_camera, baseline)
    for split in ("train", "test"):
        write(folder / split / "room" / "rgb_1.png", view.frame[..., ::-1])
        write(folder / split / "room" / "sync_depth_1.png", np.rint(depth * 1000).astype(np.uint16))
        write_text(folder / f"{split}.txt", f"room/rgb_1.png room/sync_depth_1.png {camera}\n")
    return view.depth


def first_depth(out: Path) -> Truth:
    return np.float32(listed(out, "train")[0].units / 1000)


@pytest.mark.parametrize("camera", ["292.5 292.5 160.5 118", "292.5", ""])
def test_pairs_of_our_layout(tmp_path: Path, camera: str) -> None:
    truth = write_layout(tmp_path / "apart", camera)
    write_text(tmp_path / "apart" / "K.txt", "292.5 0 160.5\n0 292.5 118\n0 0 1\n")
    out = tmp_path / "out"
    assert prepare("unregistered", tmp_path / "apart", out, "--focal-px", "262.5", "--baseline", "0.05") == 0
    for split in ("train", "test"):
        (line,) = listed(out, split)
        assert line.camera == (262.5, 262.5, 159.5, 119.5)
        assert line.rgb.resolve() == (tmp_path / "apart" / split / "room" / "rgb_1.png").resolve()
        assert wrong(np.float32(line.units / 1000), truth) < 0.02


def test_smaller_depth_on_the_other_side_without_lists_at_another_scale(tmp_path: Path) -> None:
    apart, out = tmp_path / "apart", tmp_path / "out"
    truth = write_layout(apart, "", SMALL, -BASELINE)
    for split in ("train", "test"):
        (apart / f"{split}.txt").unlink()
        path = apart / split / "room" / "sync_depth_1.png"
        write(path, (np.asarray(Image.open(path)) * 5).astype(np.uint16))
    write_text(apart / "depth_scale.txt", "5000\n")
    write_text(apart / "K.txt", "140 0 79.5\n0 143 59.5\n0 0 1\n")
    assert prepare("unregistered", apart, out, "--focal-px", "262.5", "--baseline", "-0.05") == 0
    assert wrong(first_depth(out), truth) < 0.06


def test_a_kinects_baseline_is_taken_where_none_is_told(tmp_path: Path) -> None:
    write_layout(tmp_path / "apart", "292.5 292.5 160.5 118")
    for number, told in enumerate(([], ["--baseline", "0.025"], ["--baseline", "0.05"])):
        assert prepare("unregistered", tmp_path / "apart", tmp_path / f"{number}", "--focal-px", "262.5", *told) == 0
    default, told, other = (first_depth(tmp_path / f"{number}") for number in range(3))
    assert (default == told).all()
    assert (default != other).any()


def test_a_lens_that_bends_is_undone_in_the_picture(tmp_path: Path) -> None:
    apart, out = tmp_path / "apart", tmp_path / "out"
    truth = write_layout(apart, "292.5 292.5 160.5 118")
    calibration = {
        "image_width": WIDTH,
        "image_height": HEIGHT,
        "camera_matrix": {"rows": 3, "cols": 3, "data": [262.5, 0, 159.5, 0, 262.5, 119.5, 0, 0, 1]},
        "distortion_model": "plumb_bob",
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": [-0.2, 0, 0, 0, 0]},
    }
    write_text(tmp_path / "lens.yaml", json.dumps(calibration))
    told = ["--calibration", str(tmp_path / "lens.yaml"), "--baseline", "0.05"]
    assert prepare("unregistered", apart, out, *told) == 0
    (line,) = listed(out, "train")
    assert out in line.rgb.parents
    assert line.rgb.suffix == ".jpg"
    # Depth is the straight picture's; of the old picture's camera it would be wrong where the focal lengths differ.
    fx, fy, cx, cy = line.camera
    v, u = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    places = [262.5 * (u - cx) / fx + 159.5, 262.5 * (v - cy) / fy + 119.5]
    seen = cv2.remap(truth, *places, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    both = (seen > 0) & (first_depth(out) > 0)
    assert both.mean() > 0.6
    assert (np.abs(first_depth(out)[both] / seen[both] - 1) > 0.02).mean() < 0.04


def test_another_baseline_or_camera_is_another_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    apart, out = tmp_path / "apart", tmp_path / "out"
    write_layout(apart, "292.5")
    told = ["--focal-px", "262.5", "--baseline", "0.05"]
    assert prepare("unregistered", apart, out, *told) == 0
    assert prepare("unregistered", apart, out, *told) == 0
    for other in (["--focal-px", "262.5"], ["--focal-px", "270", "--baseline", "0.05"]):
        capsys.readouterr()
        assert prepare("unregistered", apart, out, *other) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
        assert "every 1, baseline 0.05, focal_px 262.5; choose another folder" in line


def test_what_is_missing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    apart, out = tmp_path / "apart", tmp_path / "out"
    write_layout(apart, "")

    def told(*options: str) -> str:
        return refused(capsys, "unregistered", apart, out, *options)

    assert "names no depth camera" in told("--focal-px", "262.5")
    assert "no camera is known" in told()
    for matrix in ("0 0 160\n0 292 118\n0 0 1\n", "nan 0 160\n0 292 118\n0 0 1\n", "0.9 0 0.5\n0 1.2 0.5\n0 0 1\n"):
        write_text(apart / "K.txt", matrix)
        assert "has a camera that cannot be" in told("--fov", "60")
    (tmp_path / "empty").mkdir()
    assert "no pair of a picture" in refused(capsys, "unregistered", tmp_path / "empty", out, "--fov", "60")
    (apart / "train" / "room" / "rgb_1.png").write_bytes(b"GIF89a")
    assert "rgb_1.png is no picture" in told("--fov", "60")
    write_text(apart / "train.txt", "../../else/rgb_1.png ../../else/sync_depth_1.png 8\n")
    for name in ("rgb_1.png", "sync_depth_1.png"):
        write(tmp_path / "else" / name, np.zeros((6, 8), np.uint16))
    assert "lies outside" in told("--fov", "60")
    assert prepare("unregistered", apart, out, "--fov", "60", "--baseline", "25") == 2
    assert "'25' is not a distance of up to 1 m" in capsys.readouterr().err
