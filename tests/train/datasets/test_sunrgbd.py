"""SUN RGB-D, in its own layout."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from train.dataset_files import listed, picture, prepare, refused, write, write_text


def rotated(millimetres: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """What the dataset stores: MATLAB's bitor(bitshift(d, 3), bitshift(d, -13)), the inverse of its reader."""
    bits = np.unpackbits(millimetres.astype(">u2").view(np.uint8).reshape(*millimetres.shape, 2), axis=-1)
    return np.packbits(np.roll(bits, -3, axis=-1), axis=-1).view(">u2")[..., 0].astype(np.uint16)


DEPTH = np.array([[0, 1, 999, 1000], [4321, 7999, 8000, 8001], [9000, 20000, 40000, 65535]], np.uint16)
KNOWN = np.array([[0, 1, 999, 1000], [4321, 7999, 8000, 0], [0, 0, 0, 0]])


def write_folder(folder: Path, value: int) -> None:
    write(folder / "image" / "0000103.jpg", picture(value, 4, 3))
    write(folder / "depth" / "0000103.png", rotated(DEPTH))
    write(folder / "depth_bfx" / "0000103.png", rotated(DEPTH + np.uint16(1)))
    write_text(folder / "intrinsics.txt", "529.5 0 365 0 529.25 265 0 0 1 ")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    top = tmp_path / "sun"
    for index, name in enumerate(("kv2/kinect2data/one", "kv2/kinect2data/two", "xtion/x/y/z", "kv1/NYUdata/NYU0001")):
        write_folder(top / "SUNRGBD" / name, 50 * index)
    return top


def write_split(source: Path, train: list[str], test: list[str]) -> None:
    folder = source / "SUNRGBDtoolbox" / "traintestSUNRGBD"
    folder.mkdir(parents=True)
    cells = {}
    for key, names in (("alltrain", train), ("alltest", test)):
        cells[key] = np.array([[f"/n/fs/sun3d/data/SUNRGBD/{name}/" for name in names]], object)
    scipy.io.savemat(folder / "allsplit.mat", cells)


def test_bits_are_turned_back_and_the_split_is_the_datasets_own(source: Path, tmp_path: Path) -> None:
    write_split(source, ["kv2/kinect2data/two", "kv1/NYUdata/NYU0001"], ["kv2/kinect2data/one"])
    assert prepare("sunrgbd", source, tmp_path / "out") == 0
    (train,), (test,) = (listed(tmp_path / "out", split) for split in ("train", "test"))
    assert (train.units == KNOWN).all()
    assert train.camera == (529.5, 529.25, 365, 265)
    assert train.colour == pytest.approx((50, 100, 50), abs=4)
    assert test.colour == pytest.approx((0, 100, 50), abs=4)
    assert train.rgb.resolve().is_relative_to(source.resolve())


def test_nyus_pictures_are_taken_when_asked_for_and_places_held_out_without_a_split(
    source: Path, tmp_path: Path
) -> None:
    assert prepare("sunrgbd", source, tmp_path / "out", "--with-nyu") == 0
    names = {
        split: {
            line.depth.parent.relative_to(tmp_path / "out" / "scenes").as_posix()
            for line in listed(tmp_path / "out", split)
        }
        for split in ("train", "test")
    }
    assert names == {"train": {"kv2/kinect2data", "kv1/NYUdata"}, "test": {"xtion/x/y"}}


def test_damage_is_told(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    depth = source / "SUNRGBD" / "kv2" / "kinect2data" / "one" / "depth" / "0000103.png"
    depth.write_bytes(b"x")
    assert str(depth) in refused(capsys, "sunrgbd", source, tmp_path / "out")
    depth.unlink()
    assert "holds 0 pictures" in refused(capsys, "sunrgbd", source, tmp_path / "out")
    write_text(source / "SUNRGBDtoolbox" / "allsplit.mat", "no MATLAB")
    assert "SUNRGBDtoolbox.zip" in refused(capsys, "sunrgbd", source, tmp_path / "out2")
