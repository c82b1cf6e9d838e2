"""Resizing against segment-anything's own."""

import numpy as np
import pytest
import torch
from segment_anything.utils.transforms import ResizeLongestSide

from clipdepth.engines.sam.resize import fitting_size, resize_picture, upscale_masks
from clipdepth_train.segmentation import SamConfig, load_sam

SIZES = [(480, 640), (640, 480), (33, 71), (128, 128), (128, 70), (301, 299), (720, 1280), (96, 400), (1, 7)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("side", [128, 1024])
def test_a_picture_is_resized_to_the_bit(size: tuple[int, int], side: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected = ResizeLongestSide(side).apply_image(picture)
    found = resize_picture(picture, *fitting_size(*size, side))
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected)


def test_a_high_narrow_picture_is_within_one() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (500, 60, 3), dtype=np.uint8)
    expected = ResizeLongestSide(128).apply_image(picture)
    found = resize_picture(picture, *fitting_size(500, 60, 128))
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("value", [0, 255])
def test_black_and_white_stay(value: int) -> None:
    assert (resize_picture(np.full((33, 71, 3), value, np.uint8), 59, 128) == value).all()


def test_a_picture_keeps_a_row() -> None:
    assert fitting_size(1, 3000, 128) == (1, 128)
    assert fitting_size(3000, 1, 128) == (128, 1)


@pytest.mark.parametrize("size", [(480, 640), (97, 61), (128, 128), (33, 200), (64, 64)])
def test_masks_are_upscaled_as_segment_anything_does(size: tuple[int, int]) -> None:
    sam = load_sam(SamConfig("mini", "none"))
    logits = np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype(np.float32)
    fitted = ResizeLongestSide.get_preprocess_shape(*size, 128)
    expected = sam.postprocess_masks(torch.from_numpy(logits), fitted, size).numpy()
    found = upscale_masks(logits, *size)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-5)
