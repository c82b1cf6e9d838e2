"""Masks painted as a colour image."""

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from clipdepth.engines.sam.painting import blend, paint


def box(top: int, bottom: int, left: int, right: int) -> NDArray[np.bool_]:
    """A mask of a picture of 4×8."""
    mask = np.zeros((4, 8), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def test_a_colour_is_centroid_and_size() -> None:
    painted = paint(box(0, 2, 2, 5)[None])
    # Centroid (3.5, 1) of 8×4 pixels; 6 of 32 pixels.
    expected = [round(64 + 191 * 0.5 / 4), round(64 + 191 * 1 / 4), round(64 + 191 * (6 / 32) ** 0.5)]
    assert expected == [88, 112, 147]
    assert painted.dtype == np.uint8
    assert painted[0, 2].tolist() == painted[1, 4].tolist() == expected


def test_a_mirrored_picture_is_painted_as_the_mirrored_painting() -> None:
    masks = np.stack([box(0, 4, 0, 8), box(0, 2, 2, 5), box(1, 4, 6, 8), box(3, 4, 0, 1)])
    assert np.array_equal(paint(masks[:, :, ::-1]), paint(masks)[:, ::-1])


def test_no_mask_is_black() -> None:
    mask = box(1, 3, 0, 2)
    painted = paint(mask[None])
    assert not painted[~mask].any()
    assert (painted[mask] >= 64).all()
    assert paint(np.zeros((0, 4, 8), np.bool_)).tolist() == np.zeros((4, 8, 3)).tolist()
    assert np.array_equal(paint(np.stack([mask, np.zeros_like(mask)])), painted)


def test_a_whole_picture_has_the_brightest_size() -> None:
    assert paint(np.ones((1, 3, 5), np.bool_))[0, 0, 2] == 255


def test_small_masks_lie_on_large_ones() -> None:
    large, small = box(0, 4, 0, 8), box(1, 2, 1, 3)
    painted = paint(np.stack([small, large]))
    assert np.array_equal(painted[small], paint(small[None])[small])
    assert np.array_equal(painted[~small], paint(large[None])[~small])


def test_of_equally_large_masks_the_one_with_the_first_pixel_lies_on_top() -> None:
    first, second = box(0, 2, 0, 4), box(1, 3, 0, 4)
    painted = paint(np.stack([first, second]))
    assert np.array_equal(painted[first], paint(first[None])[first])


def test_the_order_of_masks_does_not_matter() -> None:
    masks = [box(0, 4, 0, 6), box(0, 2, 0, 4), box(1, 3, 1, 5), box(0, 4, 3, 5), box(1, 3, 1, 5)]
    painted = {paint(np.stack(order)).tobytes() for order in permutations(masks)}
    assert len(painted) == 1
    assert painted == {paint(np.stack(masks[:4])).tobytes()}


def test_blend_mixes_where_a_mask_is() -> None:
    frame = np.full((4, 8, 3), [10, 100, 250], np.uint8)
    painted = np.zeros_like(frame)
    painted[0, 0] = [255, 64, 64]
    mixed = blend(frame, painted, share=0.4)
    assert mixed.dtype == np.uint8
    assert mixed[0, 0].tolist() == [108, 86, 176]  # 0.6 · 10 + 0.4 · 255, 0.6 · 100 + 0.4 · 64, 0.6 · 250 + 0.4 · 64
    assert (mixed.reshape(-1, 3)[1:] == [10, 100, 250]).all()
    assert blend(frame, painted)[0, 0].tolist() == [96, 87, 185]
