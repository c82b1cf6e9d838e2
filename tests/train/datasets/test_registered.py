"""Depth of a camera beside the picture's: what the renderer says the picture's own camera would measure."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

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


def write_layout(folder: Path, camera: str) -> NDArray[np.float32]:
    """A pair to train and one to test, unregistered; returns the picture's true depth."""
    view, depth = colour_and_depth(SEED, COLOUR, DEPTH, BASELINE)
    for split in ("train", "test"):
        write(folder / split / "room" / "rgb_1.png", view.frame[..., ::-1])
        write(folder / split / "room" / "sync_depth_1.png", np.rint(depth * 1000).astype(np.uint16))
        write_text(folder / f"{split}.txt", f"room/rgb_1.png room/sync_depth_1.png {camera}\n")
    return view.depth


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


def test_what_is_missing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    apart, out = tmp_path / "apart", tmp_path / "out"
    write_layout(apart, "")
    assert "names no depth camera" in refused(capsys, "unregistered", apart, out, "--focal-px", "262.5")
    assert "no camera is known" in refused(capsys, "unregistered", apart, out)
    (tmp_path / "empty").mkdir()
    assert "no train.txt" in refused(capsys, "unregistered", tmp_path / "empty", out, "--fov", "60")
    (apart / "train" / "room" / "rgb_1.png").write_bytes(b"GIF89a")
    assert "rgb_1.png is no picture" in refused(capsys, "unregistered", apart, out, "--fov", "60")
    assert prepare("unregistered", apart, out, "--fov", "60", "--baseline", "25") == 2
    assert "'25' is not a distance in metres" in capsys.readouterr().err
