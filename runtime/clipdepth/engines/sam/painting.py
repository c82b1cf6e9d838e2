"""Masks as one colour image, the same in training and on the device."""

import numpy as np
from numpy.typing import NDArray

COLOURING = 1
"""The version of `paint`'s colours; a higher one has pictures segmented and painted anew."""
_DARKEST, _BRIGHTEST = 64, 255


def paint(masks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Paint masks, (N, H, W) bool in any order, as one picture: (H, W, 3) uint8, 0 where no mask is.

    A mask's colour says where it is and how large, so an object keeps nearly its colour in the next frame, and all of
    it in the mirror. Channel 0 is how far its centroid lies from the picture's middle to either side, as a share of
    half the width, channel 1 its y as a share of the height, pixel i being at i + 0.5; channel 2 is the square root of
    its share of the picture's pixels. A share s becomes 64 + 191 s, rounded. Small
    masks lie on large ones, and of two equally large ones the one that has the first pixel in which they differ.
    """
    painted = np.zeros((*masks.shape[1:], 3), np.uint8)
    for mask in sorted((mask for mask in masks if mask.any()), key=_from_below):
        painted[mask] = _colour(mask)
    return painted


def blend(frame: NDArray[np.uint8], painted: NDArray[np.uint8], share: float = 0.35) -> NDArray[np.uint8]:
    """Lay what `paint` gave over a frame, both (H, W, 3) uint8, where a mask is; `share` of 1 hides the frame there."""
    mixed = np.rint((1 - share) * frame + share * painted).astype(np.uint8)
    return np.where(painted.any(axis=2, keepdims=True), mixed, frame)


def _from_below(mask: NDArray[np.bool_]) -> tuple[int, bytes]:
    return -int(np.count_nonzero(mask)), np.packbits(mask).tobytes()


def _colour(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    rows, columns = np.nonzero(mask)
    height, width = mask.shape
    aside = abs(2 * (columns.mean() + 0.5) / width - 1)
    shares = np.array([aside, (rows.mean() + 0.5) / height, np.sqrt(mask.mean())])
    colour: NDArray[np.uint8] = np.rint(_DARKEST + (_BRIGHTEST - _DARKEST) * shares).astype(np.uint8)
    return colour
