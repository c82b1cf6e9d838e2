"""Golden frames: which pictures, whose depth, and how much room they take."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from clipdepth.bundle import Bundle
from clipdepth_export.golden_frames import golden_frames
from clipdepth_train.checkpoint import load_run
from clipdepth_train.data.sample import RgbdPair
from clipdepth_train.depth_model import DepthModel
from clipdepth_train.recipe import DataConfig


class Numbered:
    """A test set whose n-th picture is noise with n in its first pixel, at any size."""

    focal = (100.0, 100.0)

    def __init__(self, length: int, height: int, width: int) -> None:
        self.picture_size = (height, width)
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> RgbdPair:
        rng = np.random.default_rng(index)
        frame = rng.integers(0, 256, (*self.picture_size, 3), dtype=np.uint8)
        frame[0, 0] = index
        return RgbdPair(frame, rng.uniform(0, 10, self.picture_size).astype(np.float32))


@pytest.fixture
def model(edge: Bundle) -> DepthModel:
    return load_run(edge.path.with_suffix(""))[0]


def chosen(model: DepthModel, length: int, height: int = 32, width: int = 32) -> list[int]:
    golden = golden_frames(model, Numbered(length, height, width), DataConfig(height, width))
    return [int(frame[0, 0, 0]) for frame in golden.frames]


def test_eight_frames_spread_over_the_test_set(model: DepthModel) -> None:
    assert chosen(model, 80) == [5, 15, 25, 35, 45, 55, 65, 75]
    assert chosen(model, 8) == list(range(8))


def test_all_of_a_small_test_set_each_once(model: DepthModel) -> None:
    assert chosen(model, 3) == [0, 1, 2]
    assert chosen(model, 1) == [0]


def test_large_frames_are_fewer_and_the_file_stays_below_4_mb(model: DepthModel, tmp_path: Path) -> None:
    golden = golden_frames(model, Numbered(20, 240, 320), DataConfig(240, 320))
    assert 2 <= len(golden.frames) < 8
    golden.save(tmp_path / "golden.npz")  # of noise, which no compression makes smaller
    assert (tmp_path / "golden.npz").stat().st_size < 4_000_000


def test_depth_is_pytorchs(exported: Bundle) -> None:
    golden = exported.golden()
    model, _ = load_run(exported.path.with_suffix(""))
    model.mirror = False
    with torch.no_grad():
        depth = model(torch.from_numpy(golden.frames)).numpy()
    np.testing.assert_allclose(golden.depth, depth, rtol=1e-4)
    assert golden.depth.dtype == np.float32


def test_truth_is_the_depth_images_millimetres(edge: Bundle, data: Path) -> None:
    """The middle of nine test pictures is left out; a picture twice as wide gives every second column."""
    lines = (data / "test.txt").read_text().splitlines()
    names = [lines[(2 * i + 1) * 9 // 16].split()[1] for i in range(8)]
    with np.load(edge.path / "golden.npz") as arrays:
        truth = arrays["truth_mm"]
    assert (truth.shape, truth.dtype) == ((8, 64, 96), np.uint16)
    for name, found in zip(names, truth, strict=True):
        stored = cv2.imread(str(data / "test" / name), cv2.IMREAD_UNCHANGED)
        assert stored is not None
        assert stored.any()
        np.testing.assert_array_equal(found, stored[:, 1::2])


def test_frames_are_the_pictures_shrunk_by_area(edge: Bundle, data: Path) -> None:
    first = (data / "test.txt").read_text().splitlines()[0].split()[0]
    picture = cv2.imread(str(data / "test" / first))
    assert picture is not None
    mean = (picture[:, ::2].astype(float) + picture[:, 1::2]) / 2
    assert np.abs(edge.golden().frames[0] - mean).max() <= 0.5
