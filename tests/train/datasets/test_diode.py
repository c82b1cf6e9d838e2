"""DIODE, in its own layout."""

from pathlib import Path

import numpy as np
import pytest

from train.dataset_files import listed, picture, prepare, refused, write

WIDTH, HEIGHT = 1024, 768


def write_pair(folder: Path, stem: str, metres: float) -> None:
    write(folder / f"{stem}.png", picture(20, WIDTH, HEIGHT))
    depth = np.full((HEIGHT, WIDTH, 1), metres, np.float32)
    mask = np.ones((HEIGHT, WIDTH), np.float32)
    mask[:, 0] = 0
    np.save(folder / f"{stem}_depth.npy", depth)
    np.save(folder / f"{stem}_depth_mask.npy", mask)


def test_far_depth_its_mask_and_pixels_that_are_not_square(tmp_path: Path) -> None:
    top = tmp_path / "diode"
    write_pair(top / "train" / "outdoor" / "scene_00000" / "scan_00000", "00000_00000_outdoor_000_010", 301.25)
    write_pair(top / "val" / "indoors" / "scene_00019" / "scan_00183", "00019_00183_indoors_000_010", 2.5)
    assert prepare("diode", top, tmp_path / "out") == 0
    (train,), (test,) = (listed(tmp_path / "out", split) for split in ("train", "test"))
    scale = float((tmp_path / "out" / "depth_scale.txt").read_text())
    assert (train.units[:, 1:] / scale == 301.25).all()
    assert (train.units[:, 0] == 0).all()
    assert (test.units[:, 1:] / scale == 2.5).all()
    # The devkit's 512 and 384 are the picture's middle, counted from its corner.
    assert train.camera == (886.81, 927.06, 511.5, 383.5)


def test_damage_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no *_depth.npy" in refused(capsys, "diode", tmp_path, tmp_path / "out")
    write_pair(tmp_path / "val" / "scene" / "scan", "x", 1.0)
    (tmp_path / "val" / "scene" / "scan" / "x_depth_mask.npy").unlink()
    assert "x_depth_mask.npy is missing" in refused(capsys, "diode", tmp_path, tmp_path / "out2")
    np.save(tmp_path / "val" / "scene" / "scan" / "x_depth_mask.npy", np.array([{}], object), allow_pickle=True)
    assert "x_depth_mask.npy is missing or damaged" in refused(capsys, "diode", tmp_path, tmp_path / "out2")
