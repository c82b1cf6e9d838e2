"""Resizing as Segment Anything does it: of pictures Pillow's bilinear filter on uint8, of masks PyTorch's on floats."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LOW_RESOLUTION = 4
"""How much smaller than SAM's input the decoder's masks are."""
_PRECISION = 22
"""Pillow's fixed-point weights have this many bits after the point."""


def fitting_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Height and width of a picture of H×W whose longer side is made `side`, as SAM's ResizeLongestSide rounds.

    At least 1: SAM itself fails on a picture 2048 times as long as wide.
    """
    scale = side / max(height, width)
    return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))


def resize_picture(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize (H, W, C) uint8 to (height, width, C), with a triangle filter that widens when shrinking.

    The same bits as Pillow's; some of Pillow's versions differ by 1 where H is more than twice W.
    """
    across = _resample(picture.transpose(1, 0, 2), width).transpose(1, 0, 2)
    return _resample(across, height)


def upscale_masks(logits: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Bring the decoder's masks, (..., S/4, S/4) float32, to a picture's size: (..., height, width) float32.

    As SAM's postprocess_masks: bilinear to S×S, without the padding, then bilinear to the picture.
    """
    side = logits.shape[-1]
    fitted = fitting_size(height, width, side * LOW_RESOLUTION)
    rows = _two_steps(side, fitted[0], height)
    columns = _two_steps(side, fitted[1], width)
    return np.asarray(rows @ (logits @ columns.T), np.float32)


@lru_cache(maxsize=8)
def _two_steps(side: int, fitted: int, size: int) -> NDArray[np.float32]:
    """(size, side): both resizes along one axis as one matrix."""
    return (_bilinear(fitted, size) @ _bilinear(side, side * LOW_RESOLUTION)[:fitted]).astype(np.float32)


def _bilinear(source: int, target: int) -> NDArray[np.float64]:
    """(target, source): linear interpolation between pixel centres, PyTorch's with align_corners=False."""
    centres = ((np.arange(target) + 0.5) * source / target - 0.5).clip(0, source - 1)
    return np.asarray(np.maximum(1 - np.abs(centres[:, None] - np.arange(source)), 0), np.float64)


def _resample(rows: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Resample axis 0 to `count`; 8-bit values times weights that add to one fit in 32 bits."""
    taps, weights = _taps(len(rows), count)
    total = np.full((count, *rows.shape[1:]), 1 << (_PRECISION - 1), np.int32)
    for tap, weight in zip(taps, weights, strict=True):
        total += rows[tap].astype(np.int32) * weight[:, None, None]
    return (total >> _PRECISION).clip(0, 255).astype(np.uint8)


@lru_cache(maxsize=8)
def _taps(size: int, count: int) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Which rows make each new row, and their fixed-point weights: both (taps, count)."""
    scale = size / count
    reach = max(scale, 1.0)
    centre = (np.arange(count) + 0.5) * scale
    first = np.maximum((centre - reach + 0.5).astype(int), 0)
    end = np.minimum((centre + reach + 0.5).astype(int), size)
    taps = first + np.arange((end - first).max())[:, None]
    triangle = np.maximum(1 - np.abs((taps - centre + 0.5) / reach), 0)
    triangle[taps >= end] = 0
    weights = triangle / triangle.sum(axis=0)
    return taps.clip(max=size - 1), (weights * (1 << _PRECISION) + 0.5).astype(np.int32)
