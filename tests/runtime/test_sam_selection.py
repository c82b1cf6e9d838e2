"""The measures by which masks are kept, against segment-anything's and torchvision's."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from segment_anything.utils.amg import batched_mask_to_box, calculate_stability_score
from torchvision.ops import batched_nms

from clipdepth.engines.sam.selection import bounding_box, stability, suppress_overlaps


def boxes(seed: int, count: int, side: int) -> NDArray[np.float32]:
    """Boxes of whole pixels, some of them of no area."""
    corners = np.random.default_rng(seed).integers(0, side, (count, 2, 2))
    return np.sort(corners, axis=1).reshape(count, 4).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("count", "side"), [(1, 9), (300, 12), (300, 200)])
@pytest.mark.parametrize("most", [0.3, 0.7])
def test_suppression_is_torchvisions(seed: int, count: int, side: int, most: float) -> None:
    candidates = boxes(seed, count, side)
    # Equal scores occur.
    scores = np.random.default_rng(seed).integers(0, 100, count).astype(np.float32) / 100
    expected = batched_nms(torch.from_numpy(candidates), torch.from_numpy(scores), torch.zeros(count), most)
    assert suppress_overlaps(candidates, scores, most) == expected.tolist()


def test_suppression_of_nothing() -> None:
    assert suppress_overlaps(np.zeros((0, 4), np.float32), np.zeros(0, np.float32)) == []


def test_seventy_hundredths_may_overlap() -> None:
    pair = np.array([[0, 0, 10, 10], [0, 0, 10, 7]], np.float32)
    assert suppress_overlaps(pair, np.array([0.9, 0.8], np.float32)) == [0, 1]
    pair[1, 3] = 7.1
    assert suppress_overlaps(pair, np.array([0.9, 0.8], np.float32)) == [0]


@pytest.mark.parametrize("scale", [0.5, 2.0, 8.0])
def test_stability_is_segment_anythings(scale: float) -> None:
    logits = (np.random.default_rng(0).normal(size=(6, 20, 30)) * scale).astype(np.float32)
    expected = calculate_stability_score(torch.from_numpy(logits), 0.0, 1.0)
    np.testing.assert_allclose([stability(mask) for mask in logits], expected, rtol=1e-6)


def test_nothing_at_all_is_not_stable() -> None:
    assert stability(np.full((4, 4), -5, np.float32)) == 0
    assert stability(np.full((4, 4), -1, np.float32)) == 0


def test_boxes_are_segment_anythings() -> None:
    masks = np.random.default_rng(0).random((20, 9, 13)) > 0.97
    masks = masks[masks.any(axis=(1, 2))]
    expected = batched_mask_to_box(torch.from_numpy(masks)).tolist()
    assert [list(bounding_box(mask)) for mask in masks] == expected
