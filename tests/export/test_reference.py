"""Reference and golden frames: which pictures, whose depth, and how much room they take."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from clipdepth.bundle.folder import Bundle
from clipdepth.bundle.golden import Golden
from clipdepth.bundle.manifest import InputSize
from clipdepth_export.reference import HELD_OUT, golden_frames, silently, spread_frames, with_depth
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


def reference(model: DepthModel, length: int, height: int = 32, width: int = 32) -> Golden:
    size = InputSize(height, width)
    frames = spread_frames(Numbered(length, height, width), DataConfig(height, width), size, HELD_OUT)
    return with_depth(frames, model, silently)


def numbers(frames: Golden) -> list[int]:
    return [int(frame[0, 0, 0]) for frame in frames.frames]


def test_frames_are_spread_over_the_test_set(model: DepthModel) -> None:
    held_out = reference(model, 192)
    assert numbers(held_out) == list(range(1, 192, 3))
    assert numbers(golden_frames(held_out)) == [13, 37, 61, 85, 109, 133, 157, 181]
    assert numbers(golden_frames(reference(model, 8))) == list(range(8))


def test_all_of_a_small_test_set_each_once(model: DepthModel) -> None:
    assert numbers(golden_frames(reference(model, 3))) == [0, 1, 2]
    assert numbers(golden_frames(reference(model, 1))) == [0]


def test_golden_depth_belongs_to_its_frame(model: DepthModel) -> None:
    golden = golden_frames(reference(model, 20))
    with torch.no_grad():
        np.testing.assert_allclose(golden.depth, model(torch.from_numpy(golden.frames)), rtol=1e-5)
    assert np.ptp(golden.depth, axis=0).max() > 0


def test_large_frames_are_fewer_and_the_file_stays_below_4_mb(model: DepthModel, tmp_path: Path) -> None:
    golden = golden_frames(reference(model, 9, 240, 320))
    assert 2 <= len(golden.frames) < 8
    golden.save(tmp_path / "golden.npz")  # of noise, which no compression makes smaller
    assert (tmp_path / "golden.npz").stat().st_size < 4_000_000


def test_one_frame_is_kept_however_large() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (2, 700, 900, 3), dtype=np.uint8)
    depth = frame[..., 0].astype(np.float32) + np.float32(0.1)
    golden = golden_frames(Golden(frame, depth, depth))
    np.testing.assert_array_equal(golden.frames, frame[1:])


def test_depth_is_pytorchs(exported: Bundle) -> None:
    golden = exported.golden()
    model, _ = load_run(exported.path.with_suffix(""))
    model.mirror = False
    with torch.no_grad():
        depth = model(torch.from_numpy(golden.frames)).numpy()
    np.testing.assert_allclose(golden.depth, depth, rtol=1e-4)
    assert golden.depth.dtype == np.float32


def test_truth_is_the_depth_images_millimetres(edge: Bundle, data: Path) -> None:
    """The middle of nine test pictures is left out; one twice as wide gives every second pixel, in the middle rows."""
    lines = (data / "test.txt").read_text().splitlines()
    names = [lines[(2 * i + 1) * 9 // 16].split()[1] for i in range(8)]
    with np.load(edge.path / "golden.npz") as arrays:
        truth = arrays["truth_mm"]
    assert (truth.shape, truth.dtype) == ((8, 64, 96), np.uint16)
    for name, found in zip(names, truth, strict=True):
        stored = cv2.imread(str(data / "test" / name), cv2.IMREAD_UNCHANGED)
        assert stored is not None
        assert stored.any()
        np.testing.assert_array_equal(found[16:48], stored[1::2, 1::2])
        assert not found[:16].any()
        assert not found[48:].any()


def test_frames_are_the_pictures_shrunk_by_area(edge: Bundle, data: Path) -> None:
    first = (data / "test.txt").read_text().splitlines()[0].split()[0]
    picture = cv2.imread(str(data / "test" / first))
    assert picture is not None
    halves = picture.reshape(32, 2, 96, 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(edge.golden().frames[0][16:48] - halves).max() <= 0.5


def test_golden_confidence_is_rounded_to_14_bits(model: DepthModel) -> None:
    held_out = reference(model, 3)
    exact = np.random.default_rng(0).random(held_out.depth.shape, np.float32)
    kept = golden_frames(replace(held_out, confidence=exact)).confidence
    assert kept is not None
    assert kept.dtype == np.float32
    np.testing.assert_allclose(kept, exact, rtol=0, atol=2**-15)
