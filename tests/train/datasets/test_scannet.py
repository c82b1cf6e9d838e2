"""ScanNet's exported frames."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from train.dataset_files import listed, prepare, ramp, refused, write, write_text

WIDE, HIGH = 1296, 968
COLOUR = (1169.62, 1167.11, 646.295, 489.927)
DEPTH = (577.871, 580.258, 319.623, 239.624)


def matrix(fx: float, fy: float, cx: float, cy: float) -> str:
    return f"{fx} 0.0 {cx} 0.0\n0.0 {fy} {cy} 0.0\n0.0 0.0 1.0 0.0\n0.0 0.0 0.0 1.0\n"


def write_scan(folder: Path, frames: int = 2, colour: tuple[float, ...] = COLOUR) -> None:
    """A scan that sees a disk at x = 0.2 z, y = -0.1 z, in both cameras' pixels."""
    v, u = np.mgrid[:HIGH, :WIDE]
    near = np.hypot((u - colour[2]) / colour[0] - 0.2, (v - colour[3]) / colour[1] + 0.1) < 0.05
    rgb = np.where(near[..., None], np.uint8(250), np.uint8(10)).repeat(3, axis=2)
    for index in range(frames):
        write(folder / "color" / f"{index}.jpg", rgb)
        write(folder / "depth" / f"{index}.png", ramp(500 + index, 640, 480) % 9000)
    write_text(folder / "intrinsic" / "intrinsic_color.txt", matrix(*colour))
    write_text(folder / "intrinsic" / "intrinsic_depth.txt", matrix(*DEPTH))


@pytest.mark.parametrize("colour", [COLOUR, (1000.0, 1010.0, 700.0, 450.0)])
def test_colour_is_brought_to_the_depth_camera(tmp_path: Path, colour: tuple[float, ...]) -> None:
    write_scan(tmp_path / "scans" / "scene0000_00", colour=colour)
    assert prepare("scannet", tmp_path / "scans", tmp_path / "out") == 0
    (line,) = listed(tmp_path / "out", "train")
    assert line.camera == DEPTH
    assert (line.units == ramp(500, 640, 480) % 9000).all()
    seen = np.asarray(Image.open(line.rgb).convert("L")) > 128
    v, u = np.nonzero(seen)
    assert seen.shape == (480, 640)
    # The disk's middle, where the depth camera sees it.
    assert u.mean() == pytest.approx(DEPTH[0] * 0.2 + DEPTH[2], abs=0.3)
    assert v.mean() == pytest.approx(DEPTH[1] * -0.1 + DEPTH[3], abs=0.3)


def test_scans_of_one_place_are_in_one_split(tmp_path: Path) -> None:
    for name in ("scene0000_00", "scene0000_01", "scene0001_00", "scene0001_01"):
        write_scan(tmp_path / "scans" / name, 1)
    assert prepare("scannet", tmp_path / "scans", tmp_path / "out") == 0
    scenes = {split: {line.rgb.parent.name for line in listed(tmp_path / "out", split)} for split in ("train", "test")}
    assert scenes == {"train": {"scene0000_00", "scene0000_01"}, "test": {"scene0001_00", "scene0001_01"}}


def test_scannets_own_lists_count(tmp_path: Path) -> None:
    for name in ("scene0000_00", "scene0001_00", "scene0002_00"):
        write_scan(tmp_path / "scans" / name, 1)
    write_text(tmp_path / "scans" / "scannetv2_train.txt", "scene0001_00\n")
    write_text(tmp_path / "scans" / "scannetv2_val.txt", "scene0000_00\n")
    assert prepare("scannet", tmp_path / "scans", tmp_path / "out") == 0
    assert [line.rgb.parent.name for line in listed(tmp_path / "out", "train")] == ["scene0001_00"]
    assert [line.rgb.parent.name for line in listed(tmp_path / "out", "test")] == ["scene0000_00"]


def test_what_was_not_exported_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_scan(tmp_path / "scans" / "scene0000_00")
    (tmp_path / "scans" / "scene0000_00" / "color" / "1.jpg").unlink()
    assert "1.jpg cannot be read" in refused(capsys, "scannet", tmp_path / "scans", tmp_path / "out")
    (tmp_path / "scans" / "scene0000_00" / "color" / "0.jpg").unlink()
    assert "--export_color_images" in refused(capsys, "scannet", tmp_path / "scans", tmp_path / "out2")
    write_text(tmp_path / "scans" / "scene0000_00" / "intrinsic" / "intrinsic_depth.txt", "577 0 319\n")
    assert "does not hold 16 numbers" in refused(capsys, "scannet", tmp_path / "scans", tmp_path / "out3")
